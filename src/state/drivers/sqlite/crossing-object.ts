import type { BlobRef, StoredObject } from "../../../core/object.ts";
import type { DeleteMarker } from "../../object-calls.ts";
import { joinBytes, unlessEmpty } from "./crossing-bytes.ts";

type Texts = Readonly<Record<string, string>>;

/** What lies under a key as it crosses between threads: one flat row, because an object's names are written and read again with every object.
 *  `blobId` is null for a delete marker. `bytes` is the checksums of the blob's blocks and behind them the blob, when it lies in its row. */
export type VersionRow = readonly [
  versionSeq: number,
  versionId: string,
  isLatest: boolean,
  sizeBytes: number,
  etag: string,
  contentType: string,
  metadata: Texts | null,
  headers: Texts | null,
  checksums: Texts | null,
  tags: Texts | null,
  parts: StoredObject["parts"],
  lastModified: number,
  owner: string,
  jobId: string | null,
  blobId: string | null,
  isInline: boolean,
  crcBytes: number,
  bytes: Uint8Array | null,
];

export function versionRow(version: StoredObject | DeleteMarker | null): VersionRow | null {
  if (version === null) return null;
  const { versionSeq, versionId, isLatest, sizeBytes, etag, contentType, parts, lastModified, owner, jobId } = version;
  const [blobId, isInline, crcBytes, bytes] = bytesOf(version);
  return [
    versionSeq,
    versionId,
    isLatest,
    sizeBytes,
    etag,
    contentType,
    unlessEmpty(version.metadata),
    unlessEmpty(version.headers),
    unlessEmpty(version.checksums),
    unlessEmpty(version.tags),
    parts,
    lastModified,
    owner,
    jobId,
    blobId,
    isInline,
    crcBytes,
    bytes,
  ];
}

function bytesOf(
  version: StoredObject | DeleteMarker,
): readonly [blobId: string | null, isInline: boolean, crcBytes: number, bytes: Uint8Array | null] {
  const { blob } = version;
  if (blob === null) return [null, false, 0, null];
  if (blob.kind === "remote") throw new Error(`blob ${blob.blobId} lies with a provider`);
  const { blockCrc32c } = version;
  const inline = blob.kind === "inline" ? blob.bytes : null;
  return [blob.blobId, inline !== null, blockCrc32c.length, joinBytes(blockCrc32c, inline)];
}

export function versionOf(bucket: string, key: string, row: VersionRow | null): StoredObject | DeleteMarker | null {
  if (row === null) return null;
  const [versionSeq, versionId, isLatest, sizeBytes, etag, contentType, metadata, headers, checksums, tags] = row;
  const [, , , , , , , , , , parts, lastModified, owner, jobId, blobId, isInline, crcBytes, bytes] = row;
  const info = {
    bucket,
    key,
    versionSeq,
    versionId,
    isLatest,
    sizeBytes,
    etag,
    contentType,
    metadata: metadata ?? {},
    headers: headers ?? {},
    checksums: checksums ?? {},
    tags: tags ?? {},
    parts,
    lastModified,
    owner,
    jobId,
  };
  if (blobId === null || bytes === null) return { ...info, isDeleteMarker: true, blob: null };
  const blob: BlobRef = isInline
    ? { kind: "inline", blobId, bytes: bytes.subarray(crcBytes) }
    : { kind: "file", blobId };
  return { ...info, isDeleteMarker: false, blob, blockCrc32c: bytes.subarray(0, crcBytes) };
}
