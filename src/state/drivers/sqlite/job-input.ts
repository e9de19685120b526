import { dropBlob } from "./blobs.ts";
import type { JobRow } from "./job-rows.ts";
import type { Store } from "./store.ts";

/** True when the input came with a call. No object holds these bytes, so the job pins them until its row is removed: a retry needs them.
 *  An input object is pinned until the job is terminal, and then lives as long as its version. */
export const hasBody = (row: JobRow): boolean => row.input_bucket === null;

export function unpinInput(store: Store, row: JobRow): void {
  if (row.input_blob !== null) dropBlob(store, row.input_blob);
}
