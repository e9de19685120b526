import { newRevisionId } from "../../../core/ids.ts";
import type { Store } from "./store.ts";

const INSERT = "INSERT INTO revisions (id, service, owner, created_at, spec) VALUES (?, ?, ?, ?, ?)";
const RETIRE = "UPDATE revisions SET last_job = ? WHERE id = ?";
const RETIRED = "SELECT id, last_job FROM revisions WHERE service = ? AND last_job IS NOT NULL";
/** Every state is named, so that the index on (service, state, seq) answers. */
const USED = "SELECT 1 FROM jobs WHERE service = ? AND state IN (0, 1, 2, 3, 4, 5) AND seq <= ? LIMIT 1";
const DELETE = "DELETE FROM revisions WHERE id = ?";

export function addRevision(store: Store, service: string, owner: string, at: number, spec: string): string {
  const id = newRevisionId();
  store.db.run(INSERT, id, service, owner, at, spec);
  return id;
}

/** No job made from now on runs the revision. */
export function retireRevision(store: Store, id: string): void {
  store.db.run(RETIRE, store.tally.last("job"), id);
}

/** Removes retired revisions that no job pins any more: all jobs of their time are gone. */
export function removeUnusedRevisions(store: Store, service: string): void {
  for (const row of store.db.all<{ id: string; last_job: number }>(RETIRED, service)) {
    if (store.db.get(USED, service, row.last_job) === undefined) store.db.run(DELETE, row.id);
  }
}
