import type { ObjectInfo, ObjectPart, StoredObject } from "../../../core/object.ts";
import { type BlobRow, toBlobRef } from "./blobs.ts";
import { PUBLISHED_VERSION_ID } from "./version-ids.ts";

/** A row of `objects`, and of the published part of `staged` in the same shape. */
export interface ObjectRow {
  readonly version_seq: number;
  readonly bucket: number;
  readonly key: string;
  readonly version_id: string;
  readonly is_delete_marker: number;
  readonly blob: number | null;
  readonly size: number;
  readonly etag: string;
  readonly content_type: string;
  readonly last_modified: number;
  readonly owner: string;
  readonly job_id: string | null;
  readonly metadata: string | null;
  readonly headers: string | null;
  readonly checksums: string | null;
  readonly is_latest: number;
  readonly tags: string | null;
  /** JSON of `ObjectInfo.parts`. */
  readonly parts: string | null;
}

/** Columns of an object that lies in `objects o`. */
export const OBJECT_COLUMNS = `o.version_seq, o.bucket, o.key, o.version_id, o.is_delete_marker, o.blob, o.size, o.etag,
  o.content_type, o.last_modified, o.owner, o.job_id, o.metadata, o.headers, o.checksums,
  o.is_latest, o.tags, o.parts`;

/** The same columns for lists of objects, which are without parts: 10,000 of each object would be most of a page. */
export const LISTED_COLUMNS = OBJECT_COLUMNS.replace("o.parts", "NULL parts");

/** The same columns of an output that is published but lies in `staged s` still, with its publication `p` and blob `b`. */
export const PUBLISHED_COLUMNS = `p.version_base + s.n version_seq, s.bucket, s.key, ${PUBLISHED_VERSION_ID} version_id,
  0 is_delete_marker, s.blob, b.size, b.md5 etag, s.content_type, p.published_at last_modified, p.owner, p.job_id,
  NULL metadata, NULL headers, NULL checksums, 1 is_latest, NULL tags, NULL parts`;

type Texts = Readonly<Record<string, string>>;

/** Empty maps are stored as NULL: most objects carry none. */
export const textsToColumn = (texts: Texts): string | null =>
  Object.keys(texts).length === 0 ? null : JSON.stringify(texts);

export const textsOf = (column: string | null): Texts => (column === null ? {} : (JSON.parse(column) as Texts));

export function toObjectInfo(bucketName: string, row: ObjectRow): ObjectInfo {
  return {
    bucket: bucketName,
    key: row.key,
    versionSeq: row.version_seq,
    versionId: row.version_id,
    isLatest: row.is_latest === 1,
    isDeleteMarker: row.is_delete_marker === 1,
    sizeBytes: row.size,
    etag: row.etag,
    contentType: row.content_type,
    metadata: textsOf(row.metadata),
    headers: textsOf(row.headers),
    checksums: textsOf(row.checksums),
    tags: textsOf(row.tags),
    parts: row.parts === null ? null : (JSON.parse(row.parts) as ObjectPart[]),
    lastModified: row.last_modified,
    owner: row.owner,
    jobId: row.job_id,
  };
}

export function toStoredObject(
  bucketName: string,
  row: ObjectRow & BlobRow & { readonly block_crc32c: Uint8Array },
): StoredObject {
  return { ...toObjectInfo(bucketName, row), blob: toBlobRef(row), blockCrc32c: row.block_crc32c };
}
