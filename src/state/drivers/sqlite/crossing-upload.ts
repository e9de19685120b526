import type { ObjectInfo, StagedBlob } from "../../../core/object.ts";
import { hashSmall, type SmallHash } from "../../../lib/hash-small.ts";
import type { CommittedUpload, Upload } from "../../state.ts";
import { joinBytes, unlessEmpty } from "./crossing-bytes.ts";
import { ownBytes } from "./staged-bytes.ts";

type Texts = Readonly<Record<string, string>>;

/** An upload as the worker takes it: of who wrote it the name is enough. */
export interface NamedUpload extends Omit<Upload, "by"> {
  readonly by: Pick<Upload["by"], "subject">;
}

/** An upload and its answer as they cross between threads: one flat row each, because an object's names are written and read again with every
 *  object. `bytes` is the checksums of the blob's blocks and behind them, when `crcBytes` says
 *  that they end before it does, the blob itself. */
export type UploadRow = readonly [
  subject: string,
  bucket: string,
  key: string,
  blobId: string,
  sizeBytes: number,
  md5: string,
  crcBytes: number,
  isInline: boolean,
  bytes: Uint8Array,
  contentType: string,
  metadata: Texts | null,
  headers: Texts | null,
  checksums: Texts | null,
  tags: Texts | null,
  condition: Upload["condition"],
  lineage: Upload["lineage"],
  at: number,
];

/** What the worker decided; all else is as it was asked. */
export type CommittedRow = readonly [versionSeq: number, versionId: string, etag: string, jobIds: readonly string[]];

export function uploadRow(upload: Upload): UploadRow {
  const { blob, bucket, key, contentType, metadata, headers, checksums, tags, condition, lineage, at } = upload;
  const { blobId, sizeBytes, inline } = blob;
  const [md5, crcBytes, bytes] = hashedRow(blob);
  return [
    ...([upload.by.subject, bucket, key, blobId, sizeBytes, md5, crcBytes, inline !== null] as const),
    ...([bytes, contentType, unlessEmpty(metadata), unlessEmpty(headers)] as const),
    ...([unlessEmpty(checksums), unlessEmpty(tags ?? {}), condition, lineage, at] as const),
  ];
}

/** What is not hashed yet is hashed where it arrives: that thread has the time. Its MD5 is empty until then. */
function hashedRow(blob: StagedBlob): readonly [md5: string, crcBytes: number, bytes: Uint8Array] {
  if (blob.isUnhashed === true && blob.inline !== null) return ["", 0, ownBytes(blob.inline)];
  const { md5, blockCrc32c, inline } = blob;
  return [md5, blockCrc32c.length, joinBytes(blockCrc32c, inline)];
}

export function uploadOf(row: UploadRow): NamedUpload {
  const [subject, bucket, key, blobId, sizeBytes, md5, crcBytes, isInline, bytes, contentType] = row;
  const [, , , , , , , , , , metadata, headers, checksums, tags, condition, lineage, at] = row;
  const inline = isInline ? bytes.subarray(crcBytes) : null;
  return {
    by: { subject },
    bucket,
    key,
    blob: { blobId, sizeBytes, ...hashOf(md5, bytes.subarray(0, crcBytes), inline), inline },
    contentType,
    metadata: metadata ?? {},
    headers: headers ?? {},
    checksums: checksums ?? {},
    tags: tags ?? {},
    condition,
    lineage,
    at,
  };
}

function hashOf(md5: string, blockCrc32c: Uint8Array, inline: Uint8Array | null): SmallHash {
  return md5 === "" && inline !== null ? hashSmall(inline) : { md5, blockCrc32c };
}

export const committedRow = ({ object, jobIds }: CommittedUpload): CommittedRow => [
  object.versionSeq,
  object.versionId,
  object.etag,
  jobIds,
];

export function committedOf(upload: Upload, [versionSeq, versionId, etag, jobIds]: CommittedRow): CommittedUpload {
  const placed = { versionId, isLatest: true, isDeleteMarker: false };
  return { object: { ...uploadInfo(upload, versionSeq, etag), ...placed }, jobIds };
}

/** What an upload says of its object. */
export function uploadInfo(
  upload: NamedUpload,
  versionSeq: number,
  etag: string,
): Omit<ObjectInfo, "versionId" | "isLatest" | "isDeleteMarker"> {
  const { bucket, key, contentType, metadata, headers, checksums } = upload;
  return {
    bucket,
    key,
    versionSeq,
    sizeBytes: upload.blob.sizeBytes,
    etag,
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
