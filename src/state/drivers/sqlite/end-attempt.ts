import type { AttemptResult } from "../../../core/job.ts";
import type { HeldLease } from "./hold-lease.ts";
import { ATTEMPT_ENDED } from "./job-rows.ts";
import { discardPublication } from "./publication-end.ts";
import type { Store } from "./store.ts";

const END = `UPDATE attempts SET state = ${ATTEMPT_ENDED}, ended_at = ?, outcome = ?, message = ?, exit_code = ?, signal = ?, usage = ?,
  token_hash = NULL, log = ?, started_at = coalesce(started_at, ?) WHERE id = ?`;
const LAST_RESULT = `UPDATE jobs SET exit_code = ?, signal = ?, usage = ?, started_at = coalesce(started_at, ?) WHERE seq = ?`;

/** → ENDED: its token dies, its capacity is free, and what it staged goes unless it was published before, or the attempt was lost and may come
 *  back: then it goes when the job is leased again or ends. */
export function endAttempt(
  store: Store,
  { job, attempt }: HeldLease,
  result: AttemptResult,
  log: Uint8Array | null,
  at: number,
): void {
  const usage = JSON.stringify(result.usage);
  // Attempts that end soon are never noted as RUNNING; those that ran no script have no start.
  const startedAt = result.usage.wallMs > 0 ? Math.round(at - result.usage.wallMs) : null;
  const { outcome, message, exitCode, signal } = result;
  store.db.run(END, at, outcome, message, exitCode, signal, usage, log, startedAt, attempt.id);
  store.db.run(LAST_RESULT, exitCode, signal, usage, startedAt, job.seq);
  if (attempt.state !== ATTEMPT_ENDED) store.tally.countAttempt(job.service, job.owner, -1);
  store.tally.wake(job.service);
  if (outcome !== "lost") discardPublication(store, job.seq, attempt.number);
}
