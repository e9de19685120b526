import { SluiceError } from "../../../core/errors.ts";
import { isTerminal } from "../../../core/job.ts";
import type { Principal } from "../../../core/principal.ts";
import { noteJob } from "./job-changes.ts";
import { hasBody, unpinInput } from "./job-input.ts";
import { mustFindJob } from "./job-orders.ts";
import { JOB_COLUMNS, JOB_STATES, type JobRow } from "./job-rows.ts";
import { removeUnusedRevisions } from "./revisions.ts";
import type { Store } from "./store.ts";

const OPEN_ATTEMPT = "SELECT 1 FROM attempts WHERE job = ? AND state < 3 LIMIT 1";
const DELETE_ATTEMPTS = "DELETE FROM attempts WHERE job = ?";
const DELETE = "DELETE FROM jobs WHERE seq = ?";
const EXPIRED = `SELECT ${JOB_COLUMNS} FROM jobs WHERE ended_at < ?
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job = jobs.seq AND a.state < 3) ORDER BY ended_at LIMIT ?`;

export function deleteJob(store: Store, _by: Principal, jobId: string): void {
  const row = mustFindJob(store, jobId);
  if (!isTerminal(JOB_STATES[row.state] ?? "FAILED")) {
    throw new SluiceError(
      "JOB_STATE",
      `Cannot delete job "${jobId}": it is ${JOB_STATES[row.state]} (cancel it first)`,
    );
  }
  if (store.db.get(OPEN_ATTEMPT, row.seq) !== undefined) {
    throw new SluiceError("JOB_STATE", `Cannot delete job "${jobId}": its attempt is being stopped (try again)`);
  }
  remove(store, row);
  removeUnusedRevisions(store, row.service);
}

export function expireJobs(store: Store, before: number, limit: number): string[] {
  const rows = store.db.all<JobRow>(EXPIRED, before, limit);
  for (const row of rows) remove(store, row);
  for (const service of new Set(rows.map((row) => row.service))) removeUnusedRevisions(store, service);
  return rows.map((row) => row.id);
}

function remove(store: Store, row: JobRow): void {
  store.db.run(DELETE_ATTEMPTS, row.seq);
  store.db.run(DELETE, row.seq);
  if (hasBody(row)) unpinInput(store, row);
  store.tally.moveJob(row.service, row.owner, row.state, null);
  noteJob(store, row, "job.removed", Date.now());
}
