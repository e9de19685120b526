import { SluiceError } from "../../../core/errors.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { MultipartUpload, Part } from "../../object-calls.ts";
import type { Lineage } from "../../state.ts";
import { toBlobRef } from "./blobs.ts";
import { textsOf } from "./object-rows.ts";
import type { Store } from "./store.ts";

/** A row of `uploads` with the id of its assembly's blob. */
export interface UploadRow {
  readonly id: number;
  readonly upload_id: string;
  readonly bucket: number;
  readonly key: string;
  readonly owner: string;
  readonly initiated_at: number;
  readonly content_type: string;
  readonly metadata: string | null;
  readonly headers: string | null;
  readonly tags: string | null;
  readonly checksum: string | null;
  readonly lineage: string | null;
  readonly assembly: number | null;
  readonly part_bytes: number | null;
  readonly completed: string | null;
  readonly completed_at: number | null;
  readonly assembly_blob: string | null;
}

/** A row of `parts` with its own blob, when it has one. */
export interface PartRow {
  readonly number: number;
  readonly size: number;
  readonly md5: string;
  readonly piece_crc32c: Uint8Array;
  readonly checksums: string | null;
  readonly at: number;
  readonly blob: number | null;
  readonly blob_id: string | null;
  readonly inline: Uint8Array | null;
}

export const UPLOAD_SELECT =
  "SELECT u.*, b.blob_id assembly_blob FROM uploads u LEFT JOIN blobs b ON b.id = u.assembly";
const FIND = `${UPLOAD_SELECT} WHERE u.upload_id = ?`;
export const PART_SELECT = `SELECT p.number, p.size, p.md5, p.piece_crc32c, p.checksums, p.at, p.blob, b.blob_id, b.inline
  FROM parts p LEFT JOIN blobs b ON b.id = p.blob`;

export function findUpload(store: Store, uploadId: string): UploadRow | undefined {
  return store.db.get<UploadRow>(FIND, uploadId);
}

/** @throws SluiceError UPLOAD_UNKNOWN also for a completed one */
export function mustFindOpenUpload(store: Store, uploadId: string): UploadRow {
  const row = findUpload(store, uploadId);
  if (row === undefined || row.completed_at !== null) {
    throw new SluiceError("UPLOAD_UNKNOWN", "Cannot find the upload: it was completed, aborted, or never begun");
  }
  return row;
}

export function toUpload(bucket: string, row: UploadRow): MultipartUpload {
  return {
    uploadId: row.upload_id,
    bucket,
    key: row.key,
    owner: row.owner,
    initiatedAt: row.initiated_at,
    contentType: row.content_type,
    metadata: textsOf(row.metadata),
    headers: textsOf(row.headers),
    tags: textsOf(row.tags),
    checksum: parsed<NonNullable<MultipartUpload["checksum"]>>(row.checksum),
    lineage: lineageOf(row),
    assembly: row.assembly_blob === null ? null : { blobId: row.assembly_blob, partBytes: row.part_bytes ?? 0 },
    completed: parsed<ObjectInfo>(row.completed),
  };
}

export const lineageOf = (row: UploadRow): Lineage | null => parsed<Lineage>(row.lineage);

export function toPart(row: PartRow): Part {
  return {
    number: row.number,
    sizeBytes: row.size,
    md5: row.md5,
    pieceCrc32c: row.piece_crc32c,
    checksums: textsOf(row.checksums),
    lastModified: row.at,
    blob: row.blob_id === null ? null : toBlobRef({ blob_id: row.blob_id, inline: row.inline }),
  };
}

function parsed<Value>(column: string | null): Value | null {
  return column === null ? null : (JSON.parse(column) as Value);
}
