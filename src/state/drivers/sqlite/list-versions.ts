import type { ObjectInfo } from "../../../core/object.ts";
import type { VersionPage, VersionQuery } from "../../object-calls.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { anyPublished } from "./fan-out.ts";
import { commonPrefix, type Entry, foldedWalk, type Start, startAfter } from "./folded-walk.ts";
import { LISTED_COLUMNS, type ObjectRow, PUBLISHED_COLUMNS, toObjectInfo } from "./object-rows.ts";
import type { Store } from "./store.ts";
import { NULL_VERSION_ID, versionIdOf, versionSeqOf } from "./version-ids.ts";
import { nullVersion } from "./version-rows.ts";

const SETTLED = `SELECT ${LISTED_COLUMNS} FROM objects o WHERE o.bucket = ?1`;
const PUBLISHED = `SELECT ${PUBLISHED_COLUMNS} FROM staged s INDEXED BY staged_key
  CROSS JOIN publications p ON p.id = s.publication AND p.state = 1 CROSS JOIN blobs b ON b.id = s.blob WHERE s.bucket = ?1`;
const NEWEST_FIRST = "ORDER BY key, version_seq DESC";
const FROM = "key >= ?2 AND key < ?3";
const AFTER = "key > ?2 AND key < ?3";
// Each part comes in order from an index of its own, and SQLite merges them: a page reads no more than its rows.
const QUERIES = {
  from: `${settledOnly(FROM)} ${NEWEST_FIRST}`,
  after: `${settledOnly(AFTER)} ${NEWEST_FIRST}`,
  older: `${settledOnly("key = ?2 AND version_seq < ?3")} ${NEWEST_FIRST}`,
  publishedFrom: `${settledOnly(FROM)} UNION ALL ${PUBLISHED} AND s.${FROM.replace("AND ", "AND s.")} ${NEWEST_FIRST}`,
  publishedAfter: `${settledOnly(AFTER)} UNION ALL ${PUBLISHED} AND s.${AFTER.replace("AND ", "AND s.")} ${NEWEST_FIRST}`,
  publishedOfKey: `${PUBLISHED} AND s.key = ?2 ORDER BY version_seq DESC`,
} as const;

function settledOnly(range: string): string {
  return `${SETTLED} AND is_latest = 1 AND ${range} UNION ALL ${SETTLED} AND is_latest = 0 AND ${range}`;
}

/** A page of versions and delete markers. `next` names the place by the version's number, which stays a place when the version goes.
 *  Goes on behind the version "null" too; when that one is gone, from the newest version of its key. */
export function listVersions(store: Store, query: VersionQuery): VersionPage {
  const bucket = mustFindBucket(store, query.bucket);
  const versions: ObjectInfo[] = [];
  const commonPrefixes: string[] = [];
  let next: VersionPage["next"] = null;
  if (query.limit <= 0) return { versions, commonPrefixes, next };
  for (const entry of entries(store, bucket.id, query)) {
    if (versions.length + commonPrefixes.length === query.limit) return { versions, commonPrefixes, next };
    if ("prefix" in entry) {
      commonPrefixes.push(entry.prefix);
      next = { key: entry.prefix, versionId: null };
    } else {
      versions.push(toObjectInfo(query.bucket, entry.row));
      next = { key: entry.row.key, versionId: versionIdOf(entry.row.version_seq) };
    }
  }
  return { versions, commonPrefixes, next: null };
}

function* entries(store: Store, bucket: number, query: VersionQuery): Generator<Entry<ObjectRow>> {
  const { afterKey, afterVersionId, prefix } = query;
  let start = startAfter(query, afterKey);
  if (afterVersionId !== null && afterKey.startsWith(prefix) && commonPrefix(afterKey, query) === null) {
    const seq = seqOfMarker(store, bucket, afterKey, afterVersionId);
    if (seq === null) start = { key: afterKey, inclusive: true };
    else for (const row of olderOfKey(store, bucket, afterKey, seq)) yield { row };
  }
  yield* foldedWalk(query, start, (from, end) => versionRows(store, bucket, from, end));
}

function seqOfMarker(store: Store, bucket: number, key: string, versionId: string): number | null {
  if (versionId !== NULL_VERSION_ID) return versionSeqOf(versionId);
  const waiting = publishedOfKey(store, bucket, key).find((row) => row.version_id === NULL_VERSION_ID);
  return (waiting ?? nullVersion(store, bucket, key))?.version_seq ?? null;
}

function versionRows(store: Store, bucket: number, start: Start, end: string | Uint8Array): Iterable<ObjectRow> {
  if (!anyPublished(store)) {
    return store.db.iterate<ObjectRow>(start.inclusive ? QUERIES.from : QUERIES.after, bucket, start.key, end);
  }
  const sql = start.inclusive ? QUERIES.publishedFrom : QUERIES.publishedAfter;
  return asSettled(store.db.iterate<ObjectRow>(sql, bucket, start.key, end));
}

/** The versions of one key behind a version of it. */
function* olderOfKey(store: Store, bucket: number, key: string, seq: number): Generator<ObjectRow> {
  const published = publishedOfKey(store, bucket, key);
  const settled = store.db.iterate<ObjectRow>(QUERIES.older, bucket, key, seq);
  if (published.length === 0) yield* settled;
  else for (const row of asSettled(both(published, settled))) if (row.version_seq < seq) yield row;
}

function* both<Row>(first: Iterable<Row>, second: Iterable<Row>): Generator<Row> {
  yield* first;
  yield* second;
}

function publishedOfKey(store: Store, bucket: number, key: string): ObjectRow[] {
  return anyPublished(store) ? store.db.all<ObjectRow>(QUERIES.publishedOfKey, bucket, key) : [];
}

/** Rows as they will be when the published ones among them are objects: the newest of a key is its latest version, and of those called
 *  "null" only the newest is there. */
function* asSettled(rows: Iterable<ObjectRow>): Generator<ObjectRow> {
  let key: string | null = null;
  let isNullThere = false;
  for (const row of rows) {
    const is_latest = row.key === key ? 0 : 1;
    if (is_latest === 1) isNullThere = false;
    key = row.key;
    if (row.version_id === NULL_VERSION_ID) {
      if (isNullThere) continue;
      isNullThere = true;
    }
    yield { ...row, is_latest };
  }
}
