import type { ObjectInfo } from "../../../core/object.ts";
import { dropBlob } from "./blobs.ts";
import { textsToColumn } from "./object-rows.ts";
import type { Store } from "./store.ts";
import { NULL_VERSION_ID, versionSeqOf } from "./version-ids.ts";

/** The versions of one key. Every function keeps these rules; between calls they hold for each key that has any version:
 *  - exactly one version is the latest: the newest, delete marker or not;
 *  - at most one version is called "null";
 *  - the tally counts the key when its latest version is no delete marker. */

/** What a writer needs to know of a version. */
export interface VersionRow {
  readonly version_seq: number;
  readonly version_id: string;
  readonly is_latest: number;
  readonly is_delete_marker: number;
  readonly blob: number | null;
  readonly etag: string;
  readonly job_id: string | null;
}

export const VERSION_COLUMNS = "version_seq, version_id, is_latest, is_delete_marker, blob, etag, job_id";
const LATEST = `SELECT ${VERSION_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND is_latest = 1`;
const OLDER_NULL = `SELECT ${VERSION_COLUMNS} FROM objects
  WHERE bucket = ? AND key = ? AND is_latest = 0 AND version_id = '${NULL_VERSION_ID}'`;
const BY_NUMBER = `SELECT ${VERSION_COLUMNS} FROM objects WHERE version_seq = ? AND bucket = ? AND key = ?`;
const NEWEST_OLDER = `SELECT ${VERSION_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND is_latest = 0
  ORDER BY version_seq DESC LIMIT 1`;
const SET_LATEST = "UPDATE objects SET is_latest = ? WHERE version_seq = ?";
const DELETE = "DELETE FROM objects WHERE version_seq = ?";
const INSERT = `INSERT INTO objects (version_seq, bucket, key, version_id, is_latest, is_delete_marker, blob, size, etag,
  content_type, last_modified, owner, job_id, metadata, headers, checksums, tags, parts)
  VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** The latest version, delete marker or not. */
export function latestVersion(store: Store, bucket: number, key: string): VersionRow | undefined {
  return store.db.get<VersionRow>(LATEST, bucket, key);
}

/** The version called "null", wherever it stands. */
export function nullVersion(store: Store, bucket: number, key: string): VersionRow | undefined {
  const latest = latestVersion(store, bucket, key);
  if (latest === undefined || latest.version_id === NULL_VERSION_ID) return latest;
  return store.db.get<VersionRow>(OLDER_NULL, bucket, key);
}

export function versionBySeq(store: Store, bucket: number, key: string, versionSeq: number): VersionRow | undefined {
  return store.db.get<VersionRow>(BY_NUMBER, versionSeq, bucket, key);
}

/** The version by its id; an id that was never given finds nothing. */
export function versionById(store: Store, bucket: number, key: string, versionId: string): VersionRow | undefined {
  if (versionId === NULL_VERSION_ID) return nullVersion(store, bucket, key);
  const seq = versionSeqOf(versionId);
  const row = seq === null ? undefined : versionBySeq(store, bucket, key, seq);
  return row?.version_id === versionId ? row : undefined;
}

/** Adds the latest version. The caller has made room: no other version of the key is the latest, none has the id. */
export function insertLatest(store: Store, bucket: number, blob: number | null, info: ObjectInfo): void {
  if (!info.isDeleteMarker) store.tally.countObject(1);
  store.db.run(
    INSERT,
    info.versionSeq,
    bucket,
    info.key,
    info.versionId,
    info.isDeleteMarker ? 1 : 0,
    blob,
    info.sizeBytes,
    info.etag,
    info.contentType,
    info.lastModified,
    info.owner,
    info.jobId,
    textsToColumn(info.metadata),
    textsToColumn(info.headers),
    textsToColumn(info.checksums),
    textsToColumn(info.tags),
    info.parts === null ? null : JSON.stringify(info.parts),
  );
}

/** Makes room for a new latest version in a bucket with versions: the one before stays, as an older one. */
export function keepAsOlder(store: Store, row: VersionRow): void {
  store.db.run(SET_LATEST, 0, row.version_seq);
  if (row.is_delete_marker === 0) store.tally.countObject(-1);
}

/** Removes a version for good. Another one must become the latest when this was it: see `promoteNewest`. */
export function deleteVersion(store: Store, row: VersionRow): void {
  store.db.run(DELETE, row.version_seq);
  if (row.is_latest === 1 && row.is_delete_marker === 0) store.tally.countObject(-1);
  if (row.blob !== null) dropBlob(store, row.blob);
}

/** After the latest version went: the newest of those that remain is the latest, a delete marker too. */
export function promoteNewest(store: Store, bucket: number, key: string): void {
  const row = store.db.get<VersionRow>(NEWEST_OLDER, bucket, key);
  if (row === undefined) return;
  store.db.run(SET_LATEST, 1, row.version_seq);
  if (row.is_delete_marker === 0) store.tally.countObject(1);
}
