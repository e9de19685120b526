import type { FileEvent } from "../../../core/file-event.ts";
import type { Attempt, Job, JobState } from "../../../core/job.ts";
import type { ServiceCounts } from "../../state.ts";
import { ATTEMPT_COLUMNS, type AttemptRow, JOB_COLUMNS, type JobRow, toAttempt, toEvent, toJob } from "./job-rows.ts";
import { findJob } from "./job-transitions.ts";
import type { Store } from "./store.ts";

const ATTEMPTS = `SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE job = ? ORDER BY number`;
const LOG = "SELECT a.log FROM attempts a JOIN jobs j ON j.seq = a.job WHERE j.id = ? AND a.number = ?";
const EVENT = `SELECT ${JOB_COLUMNS}, payload FROM jobs WHERE id = ?`;
const COUNTS = "SELECT service, owner, queued, running, delivering, succeeded, failed, cancelled FROM service_counts";

export function job(store: Store, jobId: string): Job | null {
  const row = findJob(store, jobId);
  return row === undefined ? null : toJob(row);
}

export function attempts(store: Store, jobId: string): Attempt[] {
  const row = findJob(store, jobId);
  if (row === undefined) return [];
  return store.db.all<AttemptRow>(ATTEMPTS, row.seq).map((attempt) => toAttempt(jobId, attempt));
}

export function jobEvent(store: Store, jobId: string): FileEvent | null {
  const row = store.db.get<JobRow & { payload: string }>(EVENT, jobId);
  return row === undefined ? null : toEvent(row);
}

export function attemptLog(store: Store, jobId: string, attempt: number): Uint8Array | null {
  return store.db.get<{ log: Uint8Array | null }>(LOG, jobId, attempt)?.log ?? null;
}

/** Services that are gone stay here while jobs of theirs are kept. */
export function counts(store: Store): ServiceCounts[] {
  type Row = Record<Lowercase<JobState>, number> & { service: string; owner: string };
  return store.db.all<Row>(COUNTS).map((row) => ({
    service: row.service,
    owner: row.owner,
    counts: {
      QUEUED: row.queued,
      RUNNING: row.running,
      DELIVERING: row.delivering,
      SUCCEEDED: row.succeeded,
      FAILED: row.failed,
      CANCELLED: row.cancelled,
    },
  }));
}
