import { addChore } from "./chore-rows.ts";
import { CANCELLED, JOB_COLUMNS, type JobRow } from "./job-rows.ts";
import { endJob } from "./job-transitions.ts";
import { QUEUED_WAITS } from "./open-jobs.ts";
import type { Store } from "./store.ts";

/** Queued jobs that are cancelled in the transaction that removes their service; the rest follows in the background. */
const AT_ONCE = 500;

const QUEUED_OF = `SELECT ${JOB_COLUMNS} FROM jobs INDEXED BY jobs_open
  WHERE open = 1 AND service = ? AND wait IN (${QUEUED_WAITS.join(", ")}) AND seq <= ? LIMIT ?`;

export function cancelQueued(store: Store, service: string, owner: string): void {
  const upto = store.tally.last("job");
  if (cancelQueuedChunk(store, service, upto, AT_ONCE) < AT_ONCE) return;
  addChore(store, { kind: "cancel", subject: service, owner, upto });
}

/** Cancels at most `limit` queued jobs of the service up to the job number `upto`; returns how many. */
export function cancelQueuedChunk(store: Store, service: string, upto: number, limit: number): number {
  const rows = store.db.all<JobRow>(QUEUED_OF, service, upto, limit);
  const at = Date.now();
  for (const row of rows) {
    endJob(store, row, { state: CANCELLED, reason: "cancelled", message: "the service was removed" }, at);
  }
  return rows.length;
}
