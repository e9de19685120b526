import type { AttemptResult } from "../../../core/job.ts";
import type { HeldLease } from "./hold-lease.ts";
import { ATTEMPT_ENDED } from "./job-rows.ts";
import { discardPublication } from "./publications.ts";
import type { Store } from "./store.ts";

const END = `UPDATE attempts SET state = ${ATTEMPT_ENDED}, ended_at = ?, outcome = ?, message = ?, exit_code = ?, signal = ?, usage = ?,
  token_hash = NULL, log = ? WHERE id = ?`;
const LAST_RESULT = "UPDATE jobs SET exit_code = ?, signal = ?, usage = ? WHERE seq = ?";

/** → ENDED: its token dies, its capacity is free, and what it staged goes unless it was published before. */
export function endAttempt(
  store: Store,
  { job, attempt }: HeldLease,
  result: AttemptResult,
  log: Uint8Array | null,
  at: number,
): void {
  const usage = JSON.stringify(result.usage);
  const { outcome, message, exitCode, signal } = result;
  store.db.run(END, at, outcome, message, exitCode, signal, usage, log, attempt.id);
  store.db.run(LAST_RESULT, exitCode, signal, usage, job.seq);
  store.tally.countAttempt(job.service, job.owner, -1);
  store.tally.wake(job.service);
  discardPublication(store, job.seq, attempt.number);
}
