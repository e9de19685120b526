import { dropBlob } from "./blobs.ts";
import type { Store } from "./store.ts";

const FIRST = "SELECT id, assembly FROM uploads WHERE bucket = ? AND completed_at IS NULL LIMIT 1";
const PARTS = "SELECT number, blob FROM parts WHERE upload = ? LIMIT ?";
const DELETE_PART = "DELETE FROM parts WHERE upload = ? AND number = ?";
const DELETE = "DELETE FROM uploads WHERE id = ?";

/** Removes at most `limit` parts and open uploads of a bucket whose row is gone; returns how many. Their bytes become garbage. Completed ones
 *  hold nothing and are forgotten in their time. */
export function purgeUploads(store: Store, bucket: number, limit: number): number {
  let removed = 0;
  while (removed < limit) {
    const upload = store.db.get<{ id: number; assembly: number | null }>(FIRST, bucket);
    if (upload === undefined) return removed;
    removed += purgeParts(store, upload.id, limit - removed);
    if (removed === limit) return removed;
    if (upload.assembly !== null) dropBlob(store, upload.assembly);
    store.db.run(DELETE, upload.id);
    removed += 1;
  }
  return removed;
}

function purgeParts(store: Store, upload: number, limit: number): number {
  const parts = store.db.all<{ number: number; blob: number | null }>(PARTS, upload, limit);
  for (const { number, blob } of parts) {
    store.db.run(DELETE_PART, upload, number);
    if (blob !== null) dropBlob(store, blob);
  }
  return parts.length;
}
