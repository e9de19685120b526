import type { ObjectInfo } from "../../../core/object.ts";
import type { BucketRow } from "./bucket-rows.ts";
import { appendChange } from "./changes.ts";
import type { Store } from "./store.ts";
import { NULL_VERSION_ID } from "./version-ids.ts";

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
      ...idOf(info.versionId),
    },
  });
}

/** A version that went, or the delete marker that hides one. */
export interface RemovedVersion {
  readonly version_seq: number;
  readonly version_id: string;
  readonly job_id: string | null;
}

/** `marker` says that the version is a delete marker, and whether it came or went. */
export function noteRemoved(
  store: Store,
  bucket: Pick<BucketRow, "name" | "owner">,
  key: string,
  row: RemovedVersion,
  at: number,
  marker: "created" | "removed" | null,
): void {
  const data = { bucket: bucket.name, key, versionSeq: row.version_seq, jobId: row.job_id, ...idOf(row.version_id) };
  appendChange(store, {
    at,
    owner: bucket.owner,
    kind: "object.removed",
    key: `${bucket.name}/${key}`,
    sequencer: row.version_seq,
    data: marker === null ? data : { ...data, deleteMarker: marker },
  });
}

export function noteTagged(store: Store, bucket: BucketRow, info: ObjectInfo, at: number): void {
  appendChange(store, {
    at,
    owner: bucket.owner,
    kind: "object.tagged",
    key: `${info.bucket}/${info.key}`,
    sequencer: info.versionSeq,
    data: { bucket: info.bucket, key: info.key, versionSeq: info.versionSeq, ...idOf(info.versionId) },
  });
}

/** Most versions have no id of their own. */
const idOf = (versionId: string): { versionId?: string } => (versionId === NULL_VERSION_ID ? {} : { versionId });
