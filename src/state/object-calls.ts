import type { ObjectInfo, ObjectPart, StagedBlob, StoredObject } from "../core/object.ts";
import type { Principal } from "../core/principal.ts";
import type { CommittedUpload, Lineage, Upload } from "./state.ts";

type Texts = Readonly<Record<string, string>>;

/** A version that says that its key is deleted. It has no bytes. */
export interface DeleteMarker extends ObjectInfo {
  readonly isDeleteMarker: true;
  readonly blob: null;
}

/** What a delete is about. */
export interface DeleteTarget {
  readonly key: string;
  /** This version for good; without it, what S3 does to the key: in a bucket with versions the delete marker becomes the latest version. */
  readonly versionId?: string;
  /** An ETag, with or without quotes, or `*`: evaluated inside the transaction, on the latest version (also when another is to go). */
  readonly ifMatch?: string;
}

/** What became of one target. */
export interface DeletedObject {
  readonly key: string;
  /** As asked, or null. */
  readonly versionId: string | null;
  /** False when there was nothing to remove, which is no error in S3: no such version; without a version id, no object or a delete
   *  marker already. */
  readonly existed: boolean;
  /** The version id of the delete marker that was made, or removed; else null. */
  readonly deleteMarker: string | null;
  /** True when `ifMatch` did not hold: nothing was removed, and `existed` says whether the key has an object. */
  readonly refused: boolean;
}

/** Versions by key in UTF-8 byte order, those of one key from the newest on. */
export interface VersionQuery {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  /** Goes on behind this key, or with `afterVersionId` behind that version of it. */
  readonly afterKey: string;
  readonly afterVersionId: string | null;
  /** Versions and common prefixes together, at most. */
  readonly limit: number;
}

export interface VersionPage {
  /** Delete markers are among them. */
  readonly versions: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  /** Where the next page goes on; `versionId` is null behind a common prefix. It names the place for the version "null" too, and is good
   *  also when the versions before it are removed meanwhile. */
  readonly next: { readonly key: string; readonly versionId: string | null } | null;
}

/** A server-side copy: a new version that shares the source's bytes. */
export interface Copy {
  readonly by: Principal;
  /** The version that the caller has looked at and evaluated conditions on. */
  readonly source: { readonly bucket: string; readonly key: string; readonly versionSeq: number };
  readonly bucket: string;
  readonly key: string;
  /** Null keeps the source's. */
  readonly replace: { readonly contentType: string; readonly metadata: Texts; readonly headers: Texts } | null;
  /** Null keeps the source's. */
  readonly tags: Texts | null;
  /** Null keeps the source's; otherwise the checksums that the caller computed. */
  readonly checksums: Texts | null;
  readonly condition: Upload["condition"];
  readonly lineage: Lineage | null;
  readonly at: number;
}

/** A multipart upload, from its creation on. */
export interface NewMultipartUpload {
  readonly by: Principal;
  /** Made by the caller: unguessable. */
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string;
  readonly metadata: Texts;
  readonly headers: Texts;
  readonly tags: Texts;
  /** What the client announced: a lower-case algorithm, and whether the object's checksum is one of the parts' or of all bytes. */
  readonly checksum: { readonly algorithm: string; readonly type: "COMPOSITE" | "FULL_OBJECT" } | null;
  readonly lineage: Lineage | null;
  readonly at: number;
}

export interface MultipartUpload extends Omit<NewMultipartUpload, "by" | "at"> {
  readonly owner: string;
  readonly initiatedAt: number;
  /** The file that parts of equal size are written into at their places, and that size; null until a part chose it. */
  readonly assembly: { readonly blobId: string; readonly partBytes: number } | null;
  /** Set once it was completed: what the completion answered, but for the parts, for a client that asks again. Kept for a day. */
  readonly completed: ObjectInfo | null;
}

/** Where a part's bytes are: in the upload's assembly file at `(number - 1) * partBytes`, or in a blob of its own. */
export type PartPlace =
  | { readonly kind: "assembly"; readonly blobId: string; readonly partBytes: number }
  | { readonly kind: "own"; readonly blob: StagedBlob };

export interface NewPart {
  /** 1 to 10,000. */
  readonly number: number;
  readonly sizeBytes: number;
  /** MD5 in hex: the part's ETag. */
  readonly md5: string;
  /** CRC32C of the pieces between the 1 MiB borders OF THE ASSEMBLY (a part that begins inside a block has a short first piece), 4 bytes
   *  big-endian each; of the part's own blocks when the place is `own`. */
  readonly pieceCrc32c: Uint8Array;
  readonly checksums: Texts;
  readonly place: PartPlace;
  readonly at: number;
}

export interface Part {
  readonly number: number;
  readonly sizeBytes: number;
  readonly md5: string;
  readonly pieceCrc32c: Uint8Array;
  readonly checksums: Texts;
  readonly lastModified: number;
  /** Null when the part lies in the assembly. Else a source for `BlobStore.read` with `pieceCrc32c` as its blocks. */
  readonly blob: StoredObject["blob"] | null;
}

export interface UploadQuery {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly afterKey: string;
  /** With it, uploads of `afterKey` behind this one are on the page too; all of them when it is none (any more). */
  readonly afterUploadId: string | null;
  readonly limit: number;
}

export interface UploadPage {
  /** By key, then by time. Completed ones are not among them. */
  readonly uploads: readonly MultipartUpload[];
  readonly commonPrefixes: readonly string[];
  readonly next: { readonly key: string; readonly uploadId: string | null } | null;
}

export interface Completion {
  readonly by: Principal;
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  /** Of the object: `<md5 of the parts' md5s>-<count>`. */
  readonly etag: string;
  readonly checksums: Texts;
  /** The parts that the object is made of, in order; checked against the rows inside the transaction. */
  readonly parts: ReadonlyArray<ObjectPart & { readonly number: number; readonly md5: string }>;
  /** All bytes: the assembly file as it now lies on disk, durable, with these facts; or another durable blob. */
  readonly bytes:
    | { readonly kind: "assembly"; readonly sizeBytes: number; readonly blockCrc32c: Uint8Array }
    | { readonly kind: "blob"; readonly blob: StagedBlob };
  readonly condition: Upload["condition"];
  readonly at: number;
}

/** Bucket configurations that are kept as the client sent them. */
export type BucketConfigKind = "cors" | "tagging" | "lifecycle" | "policy" | "notification";

/** The rest of S3 in the state: versions, copies, multipart uploads, tags, configurations. The rules of `State` hold. */
export interface ObjectCalls {
  /** Appends `bucket.updated`. @throws BUCKET_UNKNOWN */
  setVersioning(by: Principal, bucket: string, versioning: "enabled" | "suspended"): Promise<void>;
  bucketConfig(bucket: string, kind: BucketConfigKind): Promise<string | null>;
  /** Null removes it. Appends `bucket.updated`. @throws BUCKET_UNKNOWN */
  setBucketConfig(by: Principal, bucket: string, kind: BucketConfigKind, body: string | null): Promise<void>;
  /** Buckets that have that configuration, with it: for the loop that carries out lifecycles. */
  bucketsWithConfig(kind: BucketConfigKind): Promise<Array<{ readonly bucket: string; readonly body: string }>>;

  /** The latest version (`versionId` null), delete marker or not, or the one named ("null" is a version's name too). */
  objectVersion(bucket: string, key: string, versionId: string | null): Promise<StoredObject | DeleteMarker | null>;
  listVersions(query: VersionQuery): Promise<VersionPage>;
  /** Per target, in order. Each removed version appends `object.removed`; so does the making of a delete marker. @throws BUCKET_UNKNOWN */
  deleteObjects(by: Principal, bucket: string, targets: readonly DeleteTarget[], at: number): Promise<DeletedObject[]>;
  /** Starts jobs like an upload. @throws BUCKET_UNKNOWN, OBJECT_UNKNOWN when the source version is gone, PRECONDITION_FAILED */
  copyObject(copy: Copy): Promise<CommittedUpload>;
  /** Replaces all tags of a version (null: the latest). Appends `object.tagged`. @throws BUCKET_UNKNOWN, OBJECT_UNKNOWN */
  setObjectTags(by: Principal, bucket: string, key: string, versionId: string | null, tags: Texts): Promise<ObjectInfo>;

  /** @throws BUCKET_UNKNOWN */
  createUpload(upload: NewMultipartUpload): Promise<void>;
  /** Null when there is none by that id for that key; also a completed one, for a day. */
  multipartUpload(bucket: string, key: string, uploadId: string): Promise<MultipartUpload | null>;
  listUploads(query: UploadQuery): Promise<UploadPage>;
  /** Replaces a part of the same number; the bytes of the one before become garbage when they were a blob of their own.
   *  The first part in the assembly gives the upload its assembly; one that names another is a defect of the caller (INTERNAL).
   *  @throws UPLOAD_UNKNOWN; the caller then discards the blob */
  putPart(uploadId: string, part: NewPart): Promise<void>;
  /** By number, from behind `after` (0 for the start). @throws UPLOAD_UNKNOWN */
  parts(uploadId: string, after: number, limit: number): Promise<Part[]>;
  /** ONE transaction: the object, its event and jobs; the upload's other bytes become garbage.
   *  @throws UPLOAD_UNKNOWN, PART_INVALID when a part is not there as named, PRECONDITION_FAILED, BUCKET_UNKNOWN */
  completeUpload(completion: Completion): Promise<CommittedUpload>;
  /** Its bytes become garbage. False when there is none (any more). */
  abortUpload(bucket: string, key: string, uploadId: string): Promise<boolean>;
  /** Forgets uploads that were completed before; returns how many. */
  forgetCompletedUploads(before: number, limit: number): Promise<number>;
}
