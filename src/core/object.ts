/** Where an object's bytes are. Small ones may lie in the database row (`inline`), others are files named by a blob id.
 *  `remote` lies with a provider outside. */
export type BlobRef =
  | { readonly kind: "inline"; readonly blobId: string; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly blobId: string }
  | { readonly kind: "remote"; readonly blobId: string; readonly provider: string; readonly key: string };

/** What is known about a blob's bytes, computed while they streamed in. */
export interface BlobFacts {
  readonly blobId: string;
  readonly sizeBytes: number;
  /** MD5 in hex: the S3 ETag of a plain upload. */
  readonly md5: string;
  /** CRC32C of each 1 MiB block, 4 bytes big-endian each, in order; ranges are verified block by block. */
  readonly blockCrc32c: Uint8Array;
}

/** A blob that is on disk and durable, but that no row names yet. `inline` holds the bytes when they go into the row. */
export interface StagedBlob extends BlobFacts {
  readonly inline: Uint8Array | null;
  /** True for one whose `md5` and `blockCrc32c` are computed when they are asked for: who has another thread may do that there (`hashSmall`). */
  readonly isUnhashed?: true;
}

/** An object version as readers see it. */
export interface ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  readonly versionSeq: number;
  /** "null" for what was written while versioning was off or suspended. */
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly contentType: string;
  /** User metadata (`x-amz-meta-*`), lower-case names without the prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Standard headers kept with the object: cache-control, content-disposition, content-encoding, content-language, expires. */
  readonly headers: Readonly<Record<string, string>>;
  /** Checksums the client sent and that were verified: lower-case algorithm → base64; `<base64>-<parts>` for a checksum of the parts' checksums. */
  readonly checksums: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  /** What a multipart upload was made of, in order; null for any other object, and in lists of objects. */
  readonly parts: readonly ObjectPart[] | null;
  readonly lastModified: number;
  readonly owner: string;
  /** The job that made it, if one did. */
  readonly jobId: string | null;
}

/** One part of an object that came in parts. */
export interface ObjectPart {
  readonly sizeBytes: number;
  readonly checksums: Readonly<Record<string, string>>;
}

/** An object with the way to its bytes. */
export interface StoredObject extends ObjectInfo {
  readonly blob: BlobRef;
  readonly blockCrc32c: Uint8Array;
}

export interface Bucket {
  readonly name: string;
  readonly owner: string;
  readonly createdAt: number;
  readonly versioning: "off" | "enabled" | "suspended";
}

export const BLOCK_BYTES = 1024 * 1024;
