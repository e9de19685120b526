import { type AttemptResult, NO_USAGE } from "../../../core/job.ts";
import { endAttempt } from "./end-attempt.ts";
import { goOn } from "./finish-attempt.ts";
import { ATTEMPT_COLUMNS, type AttemptRow, RUNNING } from "./job-rows.ts";
import { jobBySeq } from "./job-transitions.ts";
import type { Store } from "./store.ts";

const OPEN = `SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE worker = ? AND state < 3 ORDER BY id`;

const STOPPED: AttemptResult = {
  outcome: "stopped",
  message: "the server ended without stopping the attempt",
  exitCode: null,
  signal: null,
  usage: NO_USAGE,
};

/** Ends what a crash left open on this worker. Each counts as an unclean stop of its job, which is queued again, or FAILED (poison). */
export function recoverAttempts(store: Store, worker: string, now: number): number {
  let queuedAgain = 0;
  for (const attempt of store.db.all<AttemptRow>(OPEN, worker)) {
    const job = jobBySeq(store, attempt.job);
    if (job === undefined) throw new Error(`job ${attempt.job} of an open attempt is missing`);
    endAttempt(store, { job, attempt }, STOPPED, null, now);
    if (job.state === RUNNING && goOn(store, job, STOPPED, false, now).retryAt !== null) queuedAgain += 1;
  }
  return queuedAgain;
}
