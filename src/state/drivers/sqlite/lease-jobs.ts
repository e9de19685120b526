import { newToken } from "../../../core/ids.ts";
import type { Lease } from "../../../core/job.ts";
import type { LeasedJob, LeaseRequest } from "../../state.ts";
import { type BlobRow, toBlobRef } from "./blobs.ts";
import { cancelledUpTo } from "./chore-rows.ts";
import { holdLease } from "./hold-lease.ts";
import { noteJob } from "./job-changes.ts";
import {
  ATTEMPT_LEASED,
  ATTEMPT_RUNNING,
  BACKOFF,
  JOB_COLUMNS,
  type JobRow,
  QUEUED,
  READY,
  RUNNING,
  toEvent,
  toJob,
} from "./job-rows.ts";
import { discardPublication } from "./publication-end.ts";
import type { Store } from "./store.ts";
import { tokenHash } from "./tokens.ts";

type JobRowWithPayload = JobRow & { readonly payload: string };

const LEASE = `UPDATE jobs SET state = ${RUNNING}, wait = NULL, attempt = attempt + 1, reason = NULL, message = ''
  WHERE id = ? AND (wait = ${READY} OR (wait = ${BACKOFF} AND not_before <= ?)) RETURNING ${JOB_COLUMNS}, payload`;
const SEQ = "SELECT seq, service FROM jobs WHERE id = ?";
const INSERT =
  "INSERT INTO attempts (job, number, state, worker, token_hash, leased_at, grants) VALUES (?, ?, ?, ?, ?, ?, ?)";
const INPUT = "SELECT blob_id, inline, block_crc32c FROM blobs WHERE id = ?";
const START = `UPDATE attempts SET state = ${ATTEMPT_RUNNING}, started_at = ? WHERE id = ?`;
const FIRST_START = "UPDATE jobs SET started_at = ? WHERE seq = ? AND started_at IS NULL";

export function leaseJobs(store: Store, requests: readonly LeaseRequest[], now: number): LeasedJob[] {
  return requests.flatMap((request) => leaseJob(store, request, now) ?? []);
}

function leaseJob(store: Store, request: LeaseRequest, now: number): LeasedJob | null {
  if (isDoomed(store, request.jobId)) return null;
  const row = store.db.get<JobRowWithPayload>(LEASE, request.jobId, now);
  if (row === undefined) return null;
  // A lost attempt before this one may have staged outputs; from now on it is too late for it.
  if (row.attempt > 1) discardPublication(store, row.seq, row.attempt - 1);
  const token = newToken();
  const grants = JSON.stringify(request.grants);
  store.db.run(INSERT, row.seq, row.attempt, ATTEMPT_LEASED, request.worker, tokenHash(token), now, grants);
  store.tally.moveJob(row.service, row.owner, QUEUED, RUNNING);
  store.tally.countAttempt(row.service, row.owner, 1);
  noteJob(store, row, "job.running", now);
  return {
    lease: { jobId: row.id, attempt: row.attempt, worker: request.worker },
    job: toJob(row),
    revision: store.services.revision(row.revision),
    event: toEvent(row),
    input: inputOf(store, row),
    token,
  };
}

/** True for jobs of a removed service that the background has not cancelled yet. */
function isDoomed(store: Store, jobId: string): boolean {
  const job = store.db.get<{ seq: number; service: string }>(SEQ, jobId);
  return job !== undefined && job.seq <= cancelledUpTo(store, job.service);
}

function inputOf(store: Store, row: JobRow): LeasedJob["input"] {
  if (row.input_blob === null || row.input_name === null) return null;
  const blob = store.db.get<BlobRow & { readonly block_crc32c: Uint8Array }>(INPUT, row.input_blob);
  if (blob === undefined) throw new Error(`the pinned blob of job ${row.id} is missing`);
  const { input_name: name, input_bytes: sizeBytes } = row;
  return { name, sizeBytes, blob: toBlobRef(blob), blockCrc32c: blob.block_crc32c };
}

/** An attempt that is being stopped already stays so: its end comes by `finishAttempt`. */
export function startAttempt(store: Store, lease: Lease, now: number): void {
  const { job, attempt } = holdLease(store, lease, [], null);
  if (attempt.state !== ATTEMPT_LEASED) return;
  store.db.run(START, now, attempt.id);
  store.db.run(FIRST_START, now, job.seq);
}
