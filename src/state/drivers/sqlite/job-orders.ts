import { SluiceError } from "../../../core/errors.ts";
import { isTerminal, type Job, type Lease } from "../../../core/job.ts";
import type { Principal } from "../../../core/principal.ts";
import { addBlob } from "./blobs.ts";
import { findBucket } from "./bucket-rows.ts";
import { type BornRow, bornRow, type OrderRow, orderOf } from "./crossing-job.ts";
import { insertJob, type NewJobRow } from "./insert-job.ts";
import {
  ATTEMPT_COLUMNS,
  ATTEMPT_STOPPING,
  type AttemptRow,
  CANCELLED,
  JOB_STATES,
  type JobRow,
  QUEUED,
  RUNNING,
  toEvent,
  toJob,
} from "./job-rows.ts";
import { endJob, findJob } from "./job-transitions.ts";
import type { JobOrder } from "./queued-job.ts";
import type { CachedService } from "./service-cache.ts";
import type { Store } from "./store.ts";

const OPEN_ATTEMPT = `SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE job = ? AND number = ? AND state < 3`;
const STOP = `UPDATE attempts SET state = ${ATTEMPT_STOPPING}, token_hash = NULL WHERE id = ?`;
const PAYLOAD = "SELECT payload FROM jobs WHERE seq = ?";
const BLOB = "SELECT 1 FROM blobs WHERE id = ?";
const BLOB_OF_VERSION = "SELECT blob FROM objects WHERE version_seq = ? AND bucket = ? AND key = ?";

export function enqueue(store: Store, ...row: OrderRow): BornRow {
  const job = orderOf(row);
  const { event, runName, priority } = job;
  const service = mustFindService(store, job.service);
  const input = inputOf(store, job);
  const createdAt = Date.now();
  return bornRow(insertJob(store, { service, event, input, runName, priority, retryOf: null, createdAt }));
}

/** The body of the call, or the object that its event names. A body has no name of its own: it gets OSCAR's. */
function inputOf(store: Store, { body, event }: JobOrder): NewJobRow["input"] {
  if (body !== null) {
    return { blob: addBlob(store, body, 0), name: `event-file-${event.id}`, sizeBytes: body.sizeBytes };
  }
  if (event.object === null) return null;
  const { bucket, key, versionSeq, sizeBytes } = event.object;
  const blob = blobOfVersion(store, bucket, key, versionSeq);
  if (blob === null) {
    throw new SluiceError("OBJECT_UNKNOWN", `Cannot queue the job: "${bucket}/${key}" has no version ${versionSeq}`);
  }
  return { blob, name: key, sizeBytes };
}

function blobOfVersion(store: Store, bucketName: string, key: string, versionSeq: number): number | null {
  const bucket = findBucket(store, bucketName);
  if (bucket === undefined) return null;
  return store.db.get<{ blob: number | null }>(BLOB_OF_VERSION, versionSeq, bucket.id, key)?.blob ?? null;
}

export function cancelJob(
  store: Store,
  _by: Principal,
  jobId: string,
  now: number,
): { job: Job; running: Lease | null } {
  const row = mustFindJob(store, jobId);
  if (row.state !== QUEUED && row.state !== RUNNING) {
    throw new SluiceError("JOB_STATE", `Cannot cancel job "${jobId}": it is ${JOB_STATES[row.state]}`);
  }
  const cancelled = endJob(store, row, { state: CANCELLED, reason: "cancelled", message: "cancelled by a user" }, now);
  return { job: toJob(cancelled), running: stopAttempt(store, row) };
}

/** → STOPPING: its token dies now, its capacity is free when it has ended. */
function stopAttempt(store: Store, job: JobRow): Lease | null {
  const attempt = store.db.get<AttemptRow>(OPEN_ATTEMPT, job.seq, job.attempt);
  if (attempt === undefined) return null;
  store.db.run(STOP, attempt.id);
  return { jobId: job.id, attempt: attempt.number, worker: attempt.worker };
}

export function retryJob(store: Store, _by: Principal, jobId: string, now: number): Job {
  const row = mustFindJob(store, jobId);
  if (!isTerminal(JOB_STATES[row.state] ?? "FAILED")) {
    throw new SluiceError(
      "JOB_STATE",
      `Cannot retry job "${jobId}": it is ${JOB_STATES[row.state]} (wait or cancel it)`,
    );
  }
  const service = mustFindService(store, row.service);
  const payload = store.db.get<{ payload: string }>(PAYLOAD, row.seq)?.payload ?? "";
  const { id } = insertJob(store, {
    service,
    event: toEvent({ ...row, payload }),
    input: retriedInput(store, row),
    runName: row.run_name,
    priority: row.priority,
    retryOf: row.id,
    createdAt: now,
  });
  return toJob(mustFindJob(store, id));
}

/** The blob that the job had: a call's body is there, an object as long as its version is or another job pins it. */
function retriedInput(store: Store, row: JobRow): NewJobRow["input"] {
  if (row.input_blob === null || row.input_name === null) return null;
  if (store.db.get(BLOB, row.input_blob) === undefined) {
    const message = `Cannot retry job "${row.id}": its input "${row.input_name}" is gone (upload it again)`;
    throw new SluiceError("OBJECT_UNKNOWN", message);
  }
  return { blob: row.input_blob, name: row.input_name, sizeBytes: row.input_bytes };
}

/** @throws SluiceError JOB_UNKNOWN */
export function mustFindJob(store: Store, jobId: string): JobRow {
  const row = findJob(store, jobId);
  if (row === undefined) throw new SluiceError("JOB_UNKNOWN", `Cannot find job "${jobId}": it does not exist`);
  return row;
}

function mustFindService(store: Store, name: string): CachedService {
  const service = store.services.get(name);
  if (service === undefined)
    throw new SluiceError("SERVICE_UNKNOWN", `Cannot find service "${name}": it does not exist`);
  return service;
}
