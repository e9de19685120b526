import type { ObjectInfo } from "../../../core/object.ts";
import type { ObjectPage, ObjectQuery } from "../../state.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { anyPublished } from "./fan-out.ts";
import { foldedWalk, type Scan, type Start, startAfter } from "./folded-walk.ts";
import { LISTED_COLUMNS, type ObjectRow, PUBLISHED_COLUMNS, toObjectInfo } from "./object-rows.ts";
import type { Store } from "./store.ts";

const SETTLED = `SELECT ${LISTED_COLUMNS} FROM objects o WHERE o.bucket = ?1 AND o.is_latest = 1`;
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

/** Delete markers that one page passes over at most: a page behind very many of them is short rather than late. */
const MAX_MARKERS = 10_000;

/** A page in UTF-8 byte order, of the keys whose latest version is no delete marker. It may be short, with a `next`, behind very many of
 *  those that are. */
export function listObjects(store: Store, query: ObjectQuery): ObjectPage {
  const bucket = mustFindBucket(store, query.bucket);
  const objects: ObjectInfo[] = [];
  const commonPrefixes: string[] = [];
  let last: string | null = null;
  if (query.limit <= 0) return { objects, commonPrefixes, next: null };
  const live = new LiveRows(store, bucket.id);
  for (const entry of foldedWalk(query, startAfter(query, query.after), live.scan)) {
    if (objects.length + commonPrefixes.length === query.limit) return { objects, commonPrefixes, next: last };
    if ("prefix" in entry) commonPrefixes.push(entry.prefix);
    else objects.push(toObjectInfo(query.bucket, entry.row));
    last = "prefix" in entry ? entry.prefix : entry.row.key;
  }
  return { objects, commonPrefixes, next: live.stoppedAt };
}

/** The latest versions of one page's keys, without delete markers. */
class LiveRows {
  readonly #store: Store;
  readonly #bucket: number;
  #markers = 0;
  /** The delete marker at which it gave up. */
  stoppedAt: string | null = null;

  constructor(store: Store, bucket: number) {
    this.#store = store;
    this.#bucket = bucket;
  }

  readonly scan: Scan<ObjectRow> = (start, end) => this.#live(start, end);

  *#live(start: Start, end: string | Uint8Array): Generator<ObjectRow> {
    for (const row of latestRows(this.#store, this.#bucket, start, end)) {
      if (row.is_delete_marker === 0) yield row;
      else if (++this.#markers === MAX_MARKERS) {
        this.stoppedAt = row.key;
        return;
      }
    }
  }
}

function latestRows(store: Store, bucket: number, start: Start, end: string | Uint8Array): Iterable<ObjectRow> {
  if (!anyPublished(store)) {
    return store.db.iterate<ObjectRow>(start.inclusive ? QUERIES.from : QUERIES.after, bucket, start.key, end);
  }
  const sql = start.inclusive ? QUERIES.publishedFrom : QUERIES.publishedAfter;
  return firstOfEachKey(store.db.iterate<ObjectRow>(sql, bucket, start.key, end));
}

function* firstOfEachKey(rows: Iterable<ObjectRow>): Generator<ObjectRow> {
  let previous: string | null = null;
  for (const row of rows) {
    if (row.key !== previous) yield row;
    previous = row.key;
  }
}
