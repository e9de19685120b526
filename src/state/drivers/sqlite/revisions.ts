import { newRevisionId } from "../../../core/ids.ts";
import { oldestOpen } from "./open-jobs.ts";
import type { Store } from "./store.ts";

const INSERT = "INSERT INTO revisions (id, service, owner, created_at, spec) VALUES (?, ?, ?, ?, ?)";
const RETIRE = "UPDATE revisions SET last_job = ? WHERE id = ?";
const RETIRED = "SELECT id, last_job FROM revisions WHERE service = ? AND last_job IS NOT NULL";
/** Every terminal state is named, so that the index on (service, state, seq) answers. */
const USED = `SELECT 1 FROM jobs INDEXED BY jobs_terminal WHERE open = 0 AND service = ? AND state IN (3, 4, 5) AND seq <= ? LIMIT 1`;
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
  const retired = store.db.all<{ id: string; last_job: number }>(RETIRED, service);
  if (retired.length === 0) return;
  const open = oldestOpen(store, service) ?? Number.MAX_SAFE_INTEGER;
  for (const { id, last_job: lastJob } of retired) {
    if (open > lastJob && store.db.get(USED, service, lastJob) === undefined) store.db.run(DELETE, id);
  }
}
