import { checkKey } from "../../../core/keys.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { CommittedUpload } from "../../state.ts";
import { addBlob } from "./blobs.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { type NamedUpload, uploadInfo } from "./crossing-upload.ts";
import { anyPublished, settleKey } from "./fan-out.ts";
import { LISTED_COLUMNS, type ObjectRow, PUBLISHED_COLUMNS, toObjectInfo } from "./object-rows.ts";
import { putObject } from "./put-object.ts";
import type { Store } from "./store.ts";
import { latestVersion } from "./version-rows.ts";
import { checkWrite } from "./write-condition.ts";

const OF_JOB = `SELECT ${LISTED_COLUMNS}, k.name bucket_name FROM objects o JOIN buckets k ON k.id = o.bucket
  WHERE o.job_id = ? ORDER BY o.key LIMIT ?`;
const PUBLISHED_OF_JOB = `SELECT ${PUBLISHED_COLUMNS}, k.name bucket_name
  FROM publications p CROSS JOIN staged s ON s.publication = p.id JOIN blobs b ON b.id = s.blob JOIN buckets k ON k.id = s.bucket
  WHERE p.state > 0 AND p.state = 1 AND p.job_id = ? ORDER BY s.key LIMIT ?`;

export function commitUpload(store: Store, upload: NamedUpload): CommittedUpload {
  checkKey(upload.key);
  const bucket = mustFindBucket(store, upload.bucket);
  settleKey(store, bucket, upload.key);
  checkWrite(upload, latestVersion(store, bucket.id, upload.key));
  const { info, jobIds } = putObject(store, {
    bucket,
    blob: addBlob(store, upload.blob, 1),
    lineage: upload.lineage,
    info: uploadInfo(upload, store.tally.next("version"), upload.blob.md5),
  });
  return { object: info, jobIds };
}

export function objectCount(store: Store): number {
  return store.tally.objects;
}

/** By key, whatever the bucket; published outputs that are not settled yet are among them. */
export function jobOutputs(store: Store, jobId: string, limit: number): ObjectInfo[] {
  type Row = ObjectRow & { readonly bucket_name: string };
  const settled = store.db.all<Row>(OF_JOB, jobId, limit);
  if (!anyPublished(store)) return settled.map((row) => toObjectInfo(row.bucket_name, row));
  const rows = [...settled, ...store.db.all<Row>(PUBLISHED_OF_JOB, jobId, limit)];
  const byKey = (a: Row, b: Row): number => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
  return rows
    .sort(byKey)
    .slice(0, limit)
    .map((row) => toObjectInfo(row.bucket_name, row));
}
