import type { Store } from "./store.ts";

/** Work that a short transaction left for later: `cancel` the queued jobs of a removed service up to a job number, `purge` the objects
 *  of a removed bucket. What it is about is invisible already. */
export interface ChoreRow {
  readonly id: number;
  readonly kind: "cancel" | "purge";
  /** The service's name, or the bucket's. */
  readonly subject: string;
  readonly owner: string;
  /** The last job number, or the bucket's id. */
  readonly upto: number;
}

const INSERT = "INSERT INTO chores (kind, subject, owner, upto) VALUES (?, ?, ?, ?)";
const FIRST = "SELECT * FROM chores ORDER BY id LIMIT 1";
const DELETE = "DELETE FROM chores WHERE id = ?";
const CANCELLED_UP_TO = "SELECT MAX(upto) upto FROM chores WHERE kind = 'cancel' AND subject = ?";

export function addChore(store: Store, chore: Omit<ChoreRow, "id">): void {
  store.db.run(INSERT, chore.kind, chore.subject, chore.owner, chore.upto);
}

export function firstChore(store: Store): ChoreRow | undefined {
  return store.db.get<ChoreRow>(FIRST);
}

export function removeChore(store: Store, id: number): void {
  store.db.run(DELETE, id);
}

/** Queued jobs of the service up to this number are as good as cancelled: nobody may lease them. */
export function cancelledUpTo(store: Store, service: string): number {
  return store.db.get<{ upto: number | null }>(CANCELLED_UP_TO, service)?.upto ?? 0;
}
