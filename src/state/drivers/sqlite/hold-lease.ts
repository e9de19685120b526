import { SluiceError } from "../../../core/errors.ts";
import { type AttemptResult, type Lease, mayEndLate, type Reason } from "../../../core/job.ts";
import type { StagedOutput } from "../../state.ts";
import { discardStaged } from "./blobs.ts";
import { appendChange } from "./changes.ts";
import { ATTEMPT_COLUMNS, ATTEMPT_ENDED, type AttemptRow, type JobRow, QUEUED } from "./job-rows.ts";
import { findJob } from "./job-transitions.ts";
import { KeptFailure } from "./kept-failure.ts";
import type { Store } from "./store.ts";

/** An attempt that still holds its lease, or was lost and comes back, and its job. */
export interface HeldLease {
  readonly job: JobRow;
  readonly attempt: AttemptRow;
}

const ATTEMPT = `SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE job = ? AND number = ?`;

/** The fence: only the newest attempt of a job, while it has not ended, may change anything. A superseded one is logged, and what it
 *  staged becomes garbage; both are committed although the call fails.
 *  @param late the outcome with which an attempt that was lost may end after all, its loss not counted; null for calls that end nothing
 *  @throws SluiceError LEASE_STALE */
export function holdLease(
  store: Store,
  lease: Lease,
  outputs: readonly StagedOutput[],
  late: AttemptResult["outcome"] | null,
): HeldLease {
  const job = findJob(store, lease.jobId);
  const attempt = job && store.db.get<AttemptRow>(ATTEMPT, job.seq, lease.attempt);
  if (job !== undefined && attempt !== undefined && isNewest(job, attempt, lease)) {
    if (attempt.state !== ATTEMPT_ENDED) return { job, attempt };
    if (late !== null && job.state === QUEUED && mayEndLate(attempt.outcome as Reason | null, late)) {
      return { job: { ...job, infrastructure_ends: job.infrastructure_ends - 1 }, attempt };
    }
  }
  discardStaged(
    store,
    outputs.map((output) => output.blob),
  );
  if (job !== undefined) noteFenced(store, job, lease);
  const message = `Cannot go on with attempt ${lease.attempt} of job "${lease.jobId}": ${whyNot(job, lease)}`;
  throw new KeptFailure(new SluiceError("LEASE_STALE", message));
}

function isNewest(job: JobRow, attempt: AttemptRow, lease: Lease): boolean {
  return job.attempt === lease.attempt && attempt.worker === lease.worker;
}

function whyNot(job: JobRow | undefined, lease: Lease): string {
  if (job === undefined) return "the job is gone";
  return job.attempt > lease.attempt ? `attempt ${job.attempt} has taken over` : "it does not hold the lease any more";
}

function noteFenced(store: Store, job: JobRow, lease: Lease): void {
  appendChange(store, {
    at: Date.now(),
    owner: job.owner,
    kind: "attempt.fenced",
    key: job.id,
    sequencer: lease.attempt,
    data: { service: job.service, attempt: lease.attempt, newest: job.attempt, worker: lease.worker },
  });
}
