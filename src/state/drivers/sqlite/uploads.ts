import { checkKey } from "../../../core/keys.ts";
import type { MultipartUpload, NewMultipartUpload, NewPart, Part } from "../../object-calls.ts";
import { addBlob, dropBlob, dropPartBlobs } from "./blobs.ts";
import { findBucket, mustFindBucket } from "./bucket-rows.ts";
import { textsToColumn } from "./object-rows.ts";
import type { Store } from "./store.ts";
import {
  findUpload,
  mustFindOpenUpload,
  PART_SELECT,
  type PartRow,
  toPart,
  toUpload,
  type UploadRow,
} from "./upload-rows.ts";

const INSERT = `INSERT INTO uploads (upload_id, bucket, key, owner, initiated_at, content_type, metadata, headers, tags, checksum, lineage)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const SET_ASSEMBLY = "UPDATE uploads SET assembly = ?, part_bytes = ? WHERE id = ?";
const OLD_BLOB = "SELECT blob FROM parts WHERE upload = ? AND number = ?";
const PUT_PART = `INSERT OR REPLACE INTO parts (upload, number, size, md5, piece_crc32c, checksums, at, blob)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const PARTS = `${PART_SELECT} WHERE p.upload = ? AND p.number > ? ORDER BY p.number LIMIT ?`;
const DELETE_PARTS = "DELETE FROM parts WHERE upload = ?";
const DELETE = "DELETE FROM uploads WHERE id = ?";
const FORGET = `DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE completed_at IS NOT NULL AND completed_at < ? LIMIT ?)`;

export function createUpload(store: Store, upload: NewMultipartUpload): void {
  checkKey(upload.key);
  const bucket = mustFindBucket(store, upload.bucket);
  store.db.run(
    INSERT,
    upload.uploadId,
    bucket.id,
    upload.key,
    upload.by.subject,
    upload.at,
    upload.contentType,
    textsToColumn(upload.metadata),
    textsToColumn(upload.headers),
    textsToColumn(upload.tags),
    upload.checksum === null ? null : JSON.stringify(upload.checksum),
    upload.lineage === null ? null : JSON.stringify(upload.lineage),
  );
}

export function multipartUpload(
  store: Store,
  bucketName: string,
  key: string,
  uploadId: string,
): MultipartUpload | null {
  const row = findUpload(store, uploadId);
  const bucket = findBucket(store, bucketName);
  return row === undefined || row.bucket !== bucket?.id || row.key !== key ? null : toUpload(bucketName, row);
}

export function putPart(store: Store, uploadId: string, part: NewPart): void {
  const upload = mustFindOpenUpload(store, uploadId);
  const { place, number } = part;
  if (place.kind === "assembly") useAssembly(store, upload, place.blobId, place.partBytes);
  const before = store.db.get<{ blob: number | null }>(OLD_BLOB, upload.id, number);
  const blob = place.kind === "own" ? addBlob(store, place.blob, 1) : null;
  const { sizeBytes, md5, pieceCrc32c, at } = part;
  store.db.run(PUT_PART, upload.id, number, sizeBytes, md5, pieceCrc32c, textsToColumn(part.checksums), at, blob);
  if (before !== undefined && before.blob !== null) dropBlob(store, before.blob);
}

/** The first part in the file gives it its row, whose one reference is the upload's. There is one file an upload: a part in another would be
 *  a defect of the writer. */
function useAssembly(store: Store, upload: UploadRow, blobId: string, partBytes: number): void {
  if (upload.assembly !== null) {
    if (upload.assembly_blob === blobId && upload.part_bytes === partBytes) return;
    throw new Error(`upload ${upload.upload_id} has another assembly than ${blobId}`);
  }
  const empty = { blobId, sizeBytes: 0, md5: "", blockCrc32c: new Uint8Array(), inline: null };
  store.db.run(SET_ASSEMBLY, addBlob(store, empty, 1), partBytes, upload.id);
}

export function parts(store: Store, uploadId: string, after: number, limit: number): Part[] {
  const upload = mustFindOpenUpload(store, uploadId);
  return store.db.all<PartRow>(PARTS, upload.id, after, limit).map(toPart);
}

export function abortUpload(store: Store, bucketName: string, key: string, uploadId: string): boolean {
  const upload = findUpload(store, uploadId);
  const bucket = findBucket(store, bucketName);
  if (upload === undefined || upload.completed_at !== null) return false;
  if (upload.bucket !== bucket?.id || upload.key !== key) return false;
  dropParts(store, upload.id);
  if (upload.assembly !== null) dropBlob(store, upload.assembly);
  store.db.run(DELETE, upload.id);
  return true;
}

/** Removes the rows of all parts; what lay in blobs of their own becomes garbage. */
export function dropParts(store: Store, upload: number): void {
  dropPartBlobs(store, upload);
  store.db.run(DELETE_PARTS, upload);
}

export function forgetCompletedUploads(store: Store, before: number, limit: number): number {
  return store.db.run(FORGET, before, limit);
}
