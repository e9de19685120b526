import type { ObjectInfo } from "../../../core/object.ts";
import type { BucketRow } from "./bucket-rows.ts";
import { appendChange } from "./changes.ts";
import type { Store } from "./store.ts";

/** Changes of objects belong to the bucket's owner, who may read them. */
export function noteCreated(store: Store, bucket: BucketRow, info: ObjectInfo): void {
  appendChange(store, {
    at: info.lastModified,
    owner: bucket.owner,
    kind: "object.created",
    key: `${info.bucket}/${info.key}`,
    sequencer: info.versionSeq,
    data: {
      bucket: info.bucket,
      key: info.key,
      versionSeq: info.versionSeq,
      size: info.sizeBytes,
      etag: info.etag,
      jobId: info.jobId,
    },
  });
}

export function noteRemoved(
  store: Store,
  bucket: Pick<BucketRow, "name" | "owner">,
  key: string,
  row: { readonly version_seq: number; readonly job_id: string | null },
  at: number,
): void {
  appendChange(store, {
    at,
    owner: bucket.owner,
    kind: "object.removed",
    key: `${bucket.name}/${key}`,
    sequencer: row.version_seq,
    data: { bucket: bucket.name, key, versionSeq: row.version_seq, jobId: row.job_id },
  });
}
