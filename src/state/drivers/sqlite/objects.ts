import { SluiceError } from "../../../core/errors.ts";
import { checkKey } from "../../../core/keys.ts";
import type { ObjectInfo, StoredObject } from "../../../core/object.ts";
import type { Principal } from "../../../core/principal.ts";
import type { CommittedUpload, Upload } from "../../state.ts";
import { addBlob, type BlobRow } from "./blobs.ts";
import { type BucketRow, findBucket, mustFindBucket } from "./bucket-rows.ts";
import { anyPublished, settleKey } from "./fan-out.ts";
import { noteRemoved } from "./object-changes.ts";
import { OBJECT_COLUMNS, type ObjectRow, PUBLISHED_COLUMNS, toObjectInfo, toStoredObject } from "./object-rows.ts";
import { deleteVersion, type LatestRow, latestObject, type NewObject, putObject } from "./put-object.ts";
import type { Store } from "./store.ts";

type FullRow = ObjectRow & BlobRow & { readonly block_crc32c: Uint8Array };

const BLOB = "b.blob_id, b.inline, b.block_crc32c";
const LATEST = `SELECT ${OBJECT_COLUMNS}, ${BLOB} FROM objects o JOIN blobs b ON b.id = o.blob
  WHERE o.bucket = ? AND o.key = ? AND o.is_latest = 1`;
const VERSION = `SELECT ${OBJECT_COLUMNS}, ${BLOB} FROM objects o JOIN blobs b ON b.id = o.blob
  WHERE o.version_seq = ? AND o.bucket = ? AND o.key = ?`;
const PUBLISHED = `SELECT ${PUBLISHED_COLUMNS}, ${BLOB}
  FROM staged s JOIN publications p ON p.id = s.publication AND p.state = 1 JOIN blobs b ON b.id = s.blob
  WHERE s.bucket = ? AND s.key = ? ORDER BY version_seq DESC`;
const OF_JOB = `SELECT ${OBJECT_COLUMNS}, k.name bucket_name FROM objects o JOIN buckets k ON k.id = o.bucket
  WHERE o.job_id = ? ORDER BY o.key LIMIT ?`;
const PUBLISHED_OF_JOB = `SELECT ${PUBLISHED_COLUMNS}, k.name bucket_name
  FROM publications p CROSS JOIN staged s ON s.publication = p.id JOIN blobs b ON b.id = s.blob JOIN buckets k ON k.id = s.bucket
  WHERE p.state > 0 AND p.state = 1 AND p.job_id = ? ORDER BY s.key LIMIT ?`;

export function commitUpload(store: Store, upload: Upload): CommittedUpload {
  checkKey(upload.key);
  const bucket = mustFindBucket(store, upload.bucket);
  settleKey(store, bucket, upload.key);
  checkCondition(upload, latestObject(store, bucket.id, upload.key));
  const { info, jobIds } = putObject(store, {
    bucket,
    blob: addBlob(store, upload.blob, 1),
    lineage: upload.lineage,
    info: uploadInfo(upload, store.tally.next("version")),
  });
  return { object: info, jobIds };
}

function uploadInfo(upload: Upload, versionSeq: number): NewObject["info"] {
  const { bucket, key, contentType, metadata, headers, checksums } = upload;
  return {
    bucket,
    key,
    versionSeq,
    sizeBytes: upload.blob.sizeBytes,
    etag: upload.blob.md5,
    contentType,
    metadata,
    headers,
    checksums,
    tags: upload.tags ?? {},
    parts: null,
    lastModified: upload.at,
    owner: upload.by.subject,
    jobId: upload.lineage?.parentJobId ?? null,
  };
}

function checkCondition({ condition, bucket, key }: Upload, before: LatestRow | undefined): void {
  if (condition === null) return;
  const { ifMatch, ifNoneMatch } = condition;
  if (ifMatch !== undefined && !namesVersion(ifMatch, before)) {
    throw new SluiceError("PRECONDITION_FAILED", `Cannot write "${bucket}/${key}": If-Match names another version`);
  }
  if (ifNoneMatch !== undefined && namesVersion(ifNoneMatch, before)) {
    throw new SluiceError("PRECONDITION_FAILED", `Cannot write "${bucket}/${key}": If-None-Match names what is there`);
  }
}

/** An ETag may come with its quotes; `*` means any version. */
function namesVersion(tag: string, before: LatestRow | undefined): boolean {
  return before !== undefined && (tag === "*" || tag.replaceAll('"', "") === before.etag);
}

export function object(store: Store, bucketName: string, key: string, versionSeq?: number): StoredObject | null {
  const bucket = findBucket(store, bucketName);
  if (bucket === undefined) return null;
  const row = versionSeq === undefined ? latestRow(store, bucket, key) : versionRow(store, bucket, key, versionSeq);
  return row === undefined ? null : toStoredObject(bucketName, row);
}

export function objectCount(store: Store): number {
  return store.tally.objects;
}

/** A published output that is not settled yet is newer than the object it replaces: writers settle the key first. */
function latestRow(store: Store, bucket: BucketRow, key: string): FullRow | undefined {
  const published = anyPublished(store) ? store.db.get<FullRow>(PUBLISHED, bucket.id, key) : undefined;
  return published ?? store.db.get<FullRow>(LATEST, bucket.id, key);
}

function versionRow(store: Store, bucket: BucketRow, key: string, versionSeq: number): FullRow | undefined {
  const settled = store.db.get<FullRow>(VERSION, versionSeq, bucket.id, key);
  if (settled !== undefined || !anyPublished(store)) return settled;
  return store.db.all<FullRow>(PUBLISHED, bucket.id, key).find((row) => row.version_seq === versionSeq);
}

export function deleteObjects(
  store: Store,
  _by: Principal,
  bucketName: string,
  keys: readonly string[],
  at: number,
): string[] {
  const bucket = mustFindBucket(store, bucketName);
  return keys.filter((key) => {
    settleKey(store, bucket, key);
    const row = latestObject(store, bucket.id, key);
    if (row === undefined) return false;
    deleteVersion(store, row);
    noteRemoved(store, bucket, key, row, at);
    return true;
  });
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
