import type { ObjectInfo } from "../../../core/object.ts";
import type { ObjectPage, ObjectQuery } from "../../state.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { anyPublished } from "./fan-out.ts";
import { endOfPrefix } from "./key-range.ts";
import { OBJECT_COLUMNS, type ObjectRow, PUBLISHED_COLUMNS, toObjectInfo } from "./object-rows.ts";
import type { Store } from "./store.ts";

const SETTLED = `SELECT ${OBJECT_COLUMNS} FROM objects o WHERE o.bucket = ?1 AND o.is_latest = 1`;
// Driven by keys, so that a page reads no more than its part; rows of publications that are not visible are passed over.
const PUBLISHED = `SELECT ${PUBLISHED_COLUMNS} FROM staged s INDEXED BY staged_key
  CROSS JOIN publications p ON p.id = s.publication AND p.state = 1 CROSS JOIN blobs b ON b.id = s.blob WHERE s.bucket = ?1`;
// For one key the newest version comes first.
const BY_KEY = "ORDER BY key, version_seq DESC";
const QUERIES = {
  from: `${SETTLED} AND o.key >= ?2 AND o.key < ?3 ORDER BY o.key`,
  after: `${SETTLED} AND o.key > ?2 AND o.key < ?3 ORDER BY o.key`,
  publishedFrom: `${SETTLED} AND o.key >= ?2 AND o.key < ?3 UNION ALL ${PUBLISHED} AND s.key >= ?2 AND s.key < ?3 ${BY_KEY}`,
  publishedAfter: `${SETTLED} AND o.key > ?2 AND o.key < ?3 UNION ALL ${PUBLISHED} AND s.key > ?2 AND s.key < ?3 ${BY_KEY}`,
} as const;

/** Where a scan begins: at a key or behind it. */
interface Start {
  readonly key: string;
  readonly inclusive: boolean;
}

/** One row of a listing: an object, or the first of the keys that a common prefix stands for. */
type Entry = { readonly row: ObjectRow } | { readonly prefix: string };

/** A page in UTF-8 byte order. A common prefix costs one seek, however many keys it folds. */
export function listObjects(store: Store, query: ObjectQuery): ObjectPage {
  const bucket = mustFindBucket(store, query.bucket);
  const objects: ObjectInfo[] = [];
  const commonPrefixes: string[] = [];
  let last: string | null = null;
  if (query.limit <= 0) return { objects, commonPrefixes, next: null };
  for (const entry of entries(store, bucket.id, query)) {
    if (objects.length + commonPrefixes.length === query.limit) return { objects, commonPrefixes, next: last };
    if ("prefix" in entry) commonPrefixes.push(entry.prefix);
    else objects.push(toObjectInfo(query.bucket, entry.row));
    last = "prefix" in entry ? entry.prefix : entry.row.key;
  }
  return { objects, commonPrefixes, next: null };
}

function* entries(store: Store, bucket: number, query: ObjectQuery): Generator<Entry> {
  const end = endOfPrefix(query.prefix);
  let start: Start | null = firstStart(query);
  while (start !== null) {
    let folded: string | null = null;
    for (const row of scan(store, bucket, start, end)) {
      folded = commonPrefix(row.key, query);
      if (folded !== null) break;
      yield { row };
    }
    if (folded !== null) yield { prefix: folded };
    start = folded === null ? null : behindPrefix(folded);
  }
}

function* scan(store: Store, bucket: number, start: Start, end: string | null): Generator<ObjectRow> {
  const upTo = end ?? BEHIND_ALL_KEYS;
  const name = start.inclusive ? "from" : "after";
  if (!anyPublished(store)) {
    yield* store.db.iterate<ObjectRow>(QUERIES[name], bucket, start.key, upTo);
    return;
  }
  let previous: string | null = null;
  const sql = name === "from" ? QUERIES.publishedFrom : QUERIES.publishedAfter;
  for (const row of store.db.iterate<ObjectRow>(sql, bucket, start.key, upTo)) {
    if (row.key !== previous) yield row;
    previous = row.key;
  }
}

/** A blob compares above every text in SQLite. */
const BEHIND_ALL_KEYS = new Uint8Array(0);

/** `after` may be a common prefix that ended the page before: then all that it stands for is behind us. */
function firstStart(query: ObjectQuery): Start | null {
  const { prefix, after } = query;
  if (after !== "" && commonPrefix(after, query) === after) return behindPrefix(after);
  return Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0
    ? { key: prefix, inclusive: true }
    : { key: after, inclusive: after === "" };
}

function behindPrefix(prefix: string): Start | null {
  const key = endOfPrefix(prefix);
  return key === null ? null : { key, inclusive: true };
}

/** What the key shares with others up to the first delimiter behind the query's prefix; null when it stands for itself. */
function commonPrefix(key: string, { prefix, delimiter }: ObjectQuery): string | null {
  if (delimiter === "" || !key.startsWith(prefix)) return null;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? null : key.slice(0, at + delimiter.length);
}
