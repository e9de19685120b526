import type { StoredObject } from "../../../core/object.ts";
import type { DeleteMarker } from "../../object-calls.ts";
import type { BlobRow } from "./blobs.ts";
import { type BucketRow, findBucket } from "./bucket-rows.ts";
import { anyPublished } from "./fan-out.ts";
import { OBJECT_COLUMNS, type ObjectRow, PUBLISHED_COLUMNS, toObjectInfo, toStoredObject } from "./object-rows.ts";
import type { Store } from "./store.ts";
import { NULL_VERSION_ID, versionSeqOf } from "./version-ids.ts";

type BytesRow = BlobRow & { readonly block_crc32c: Uint8Array };
/** A delete marker has no blob. */
type AnyRow = ObjectRow & (BytesRow | { readonly [column in keyof BytesRow]: null });

const BLOB = "b.blob_id, b.inline, b.block_crc32c";
const VERSION = `SELECT ${OBJECT_COLUMNS}, ${BLOB} FROM objects o LEFT JOIN blobs b ON b.id = o.blob`;
const LATEST = `${VERSION} WHERE o.bucket = ? AND o.key = ? AND o.is_latest = 1`;
const OLDER_NULL = `${VERSION} WHERE o.bucket = ? AND o.key = ? AND o.is_latest = 0 AND o.version_id = '${NULL_VERSION_ID}'`;
const BY_NUMBER = `${VERSION} WHERE o.version_seq = ? AND o.bucket = ? AND o.key = ?`;
const PUBLISHED = `SELECT ${PUBLISHED_COLUMNS}, ${BLOB}
  FROM staged s JOIN publications p ON p.id = s.publication AND p.state = 1 JOIN blobs b ON b.id = s.blob
  WHERE s.bucket = ? AND s.key = ? ORDER BY version_seq DESC`;

/** One moment's versions of one key, whether settled or not. */
class KeyVersions {
  readonly #store: Store;
  readonly #bucket: BucketRow;
  readonly #key: string;
  /** Outputs that are visible but not settled yet, the newest first. They are newer than every row in `objects`, as writers settle the
   *  key first. */
  readonly #published: readonly AnyRow[];

  constructor(store: Store, bucket: BucketRow, key: string) {
    this.#store = store;
    this.#bucket = bucket;
    this.#key = key;
    this.#published = anyPublished(store) ? store.db.all<AnyRow>(PUBLISHED, bucket.id, key) : [];
  }

  latest(): StoredObject | DeleteMarker | null {
    return this.#version(this.#published[0] ?? this.#get(LATEST));
  }

  byId(versionId: string): StoredObject | DeleteMarker | null {
    const published = this.#published.find((row) => row.version_id === versionId);
    return this.#version(published ?? this.#settled(versionId));
  }

  byNumber(versionSeq: number): StoredObject | DeleteMarker | null {
    const settled = this.#store.db.get<AnyRow>(BY_NUMBER, versionSeq, this.#bucket.id, this.#key);
    return this.#version(settled ?? this.#published.find((row) => row.version_seq === versionSeq));
  }

  #settled(versionId: string): AnyRow | undefined {
    if (versionId === NULL_VERSION_ID) return this.#settledNull();
    const seq = versionSeqOf(versionId);
    const row = seq === null ? undefined : this.#store.db.get<AnyRow>(BY_NUMBER, seq, this.#bucket.id, this.#key);
    return row?.version_id === versionId ? row : undefined;
  }

  #settledNull(): AnyRow | undefined {
    const latest = this.#get(LATEST);
    return latest === undefined || latest.version_id === NULL_VERSION_ID ? latest : this.#get(OLDER_NULL);
  }

  #get(sql: typeof LATEST | typeof OLDER_NULL): AnyRow | undefined {
    return this.#store.db.get<AnyRow>(sql, this.#bucket.id, this.#key);
  }

  #version(row: AnyRow | undefined): StoredObject | DeleteMarker | null {
    if (row === undefined) return null;
    const newest = this.#published[0];
    const version = toVersion(this.#bucket.name, row);
    const isLatest = newest === undefined ? version.isLatest : row === newest;
    return isLatest === version.isLatest ? version : { ...version, isLatest };
  }
}

export function object(store: Store, bucketName: string, key: string, versionSeq?: number): StoredObject | null {
  const bucket = findBucket(store, bucketName);
  if (bucket === undefined) return null;
  const versions = new KeyVersions(store, bucket, key);
  const version = versionSeq === undefined ? versions.latest() : versions.byNumber(versionSeq);
  return version === null || version.blob === null ? null : version;
}

export function objectVersion(
  store: Store,
  bucketName: string,
  key: string,
  versionId: string | null,
): StoredObject | DeleteMarker | null {
  const bucket = findBucket(store, bucketName);
  if (bucket === undefined) return null;
  const versions = new KeyVersions(store, bucket, key);
  return versionId === null ? versions.latest() : versions.byId(versionId);
}

function toVersion(bucketName: string, row: AnyRow): StoredObject | DeleteMarker {
  if (row.blob_id !== null) return toStoredObject(bucketName, row);
  return { ...toObjectInfo(bucketName, row), isDeleteMarker: true, blob: null };
}
