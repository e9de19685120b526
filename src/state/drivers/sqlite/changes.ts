import type { Change, ChangeKind, ImageChange } from "../../../core/change.ts";
import { ADMIN_SUBJECT } from "../../../core/principal.ts";
import { RowInsert } from "./late-rows.ts";
import type { Store } from "./store.ts";

const INSERT = new RowInsert("changes (seq, at, owner, kind, key, sequencer, data)", "?, ?, ?, ?, ?, ?, ?");
const AFTER = "SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT ?";
const AFTER_OF_ADMIN = `SELECT * FROM changes WHERE owner = '${ADMIN_SUBJECT}' AND seq > ? ORDER BY seq LIMIT ?`;
const AFTER_OF_OWNER = `SELECT * FROM changes INDEXED BY changes_owner WHERE owner <> '${ADMIN_SUBJECT}' AND owner = ? AND seq > ?
  ORDER BY seq LIMIT ?`;
// Two sub-selects, because SQLite walks the whole index for MIN and MAX in one SELECT.
const BOUNDS = "SELECT (SELECT MIN(seq) FROM changes) first, (SELECT MAX(seq) FROM changes) last";
const EXPIRE = "DELETE FROM changes WHERE seq IN (SELECT seq FROM changes ORDER BY seq LIMIT ?) AND at < ?";

type ChangeRow = Omit<Change, "data"> & { readonly data: string };

/** Appends one committed fact to the log, in the transaction of the fact itself. `data` must hold no secret. */
export function appendChange(store: Store, change: Omit<Change, "seq">): void {
  const { at, owner, kind, key, sequencer, data } = change;
  store.db.append(INSERT, store.tally.next("change"), at, owner, kind, key, sequencer, JSON.stringify(data));
  store.tally.noteKind(kind);
}

export function changes(store: Store, after: number, limit: number, owner: string | null): Change[] {
  return changeRows(store, after, limit, owner).map((row) => ({
    seq: row.seq,
    at: row.at,
    owner: row.owner,
    kind: row.kind as ChangeKind,
    key: row.key,
    sequencer: row.sequencer,
    data: JSON.parse(row.data) as Record<string, unknown>,
  }));
}

function changeRows(store: Store, after: number, limit: number, owner: string | null): ChangeRow[] {
  if (owner === null) return store.db.all<ChangeRow>(AFTER, after, limit);
  if (owner === ADMIN_SUBJECT) return store.db.all<ChangeRow>(AFTER_OF_ADMIN, after, limit);
  return store.db.all<ChangeRow>(AFTER_OF_OWNER, owner, after, limit);
}

export function changeBounds(store: Store): { first: number; last: number } {
  const row = store.db.get<{ first: number | null; last: number | null }>(BOUNDS);
  return { first: row?.first ?? 0, last: row?.last ?? 0 };
}

/** Removes at most `limit` of the oldest changes, those before `before`. */
export function expireChanges(store: Store, before: number, limit: number): number {
  return store.db.run(EXPIRE, limit, before);
}

export function noteImage(store: Store, change: ImageChange, at: number): void {
  appendChange(store, { ...change, at });
}
