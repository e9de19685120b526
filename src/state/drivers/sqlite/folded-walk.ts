import { endOfPrefix } from "./key-range.ts";

/** What a listing asks for: keys that start with `prefix`, folded at the first `delimiter` behind it (empty: not at all). */
export interface Folding {
  readonly prefix: string;
  readonly delimiter: string;
}

/** Where a scan begins: at a key or behind it. */
export interface Start {
  readonly key: string;
  readonly inclusive: boolean;
}

/** One row of a listing, or the first of the keys that a common prefix stands for. */
export type Entry<Row> = { readonly row: Row } | { readonly prefix: string };

/** Rows from `start` on to before `end`, in UTF-8 byte order of their keys. */
export type Scan<Row> = (start: Start, end: string | Uint8Array) => Iterable<Row>;

/** A blob compares above every text in SQLite. */
const BEHIND_ALL_KEYS = new Uint8Array(0);

/** Rows and common prefixes in UTF-8 byte order. A common prefix costs one seek, however many keys it folds: the scan is left and begun
 *  anew behind it. */
export function* foldedWalk<Row extends { readonly key: string }>(
  query: Folding,
  first: Start | null,
  scan: Scan<Row>,
): Generator<Entry<Row>> {
  const end = endOfPrefix(query.prefix) ?? BEHIND_ALL_KEYS;
  let start = first;
  while (start !== null) {
    let folded: string | null = null;
    for (const row of scan(start, end)) {
      folded = commonPrefix(row.key, query);
      if (folded !== null) break;
      yield { row };
    }
    if (folded !== null) yield { prefix: folded };
    start = folded === null ? null : behindPrefix(folded);
  }
}

/** Where a page goes on that comes after the key `after`; empty for the first page. `after` may be a common prefix that ended the page
 *  before: then all that it stands for is behind us. */
export function startAfter(query: Folding, after: string): Start | null {
  if (after !== "" && commonPrefix(after, query) === after) return behindPrefix(after);
  return Buffer.compare(Buffer.from(after), Buffer.from(query.prefix)) < 0
    ? { key: query.prefix, inclusive: true }
    : { key: after, inclusive: after === "" };
}

function behindPrefix(prefix: string): Start | null {
  const key = endOfPrefix(prefix);
  return key === null ? null : { key, inclusive: true };
}

/** What the key shares with others up to the first delimiter behind the query's prefix; null when it stands for itself. */
export function commonPrefix(key: string, { prefix, delimiter }: Folding): string | null {
  if (delimiter === "" || !key.startsWith(prefix)) return null;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? null : key.slice(0, at + delimiter.length);
}
