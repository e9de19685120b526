import { type FileEvent, MAX_HOPS } from "../../../core/file-event.ts";
import { newJobId } from "../../../core/ids.ts";
import type { Job } from "../../../core/job.ts";
import { pinBlob } from "./blobs.ts";
import { noteJob } from "./job-changes.ts";
import { BLOCKED, FAILED, type JobRow, QUEUED, READY, toJob } from "./job-rows.ts";
import type { CachedService } from "./service-cache.ts";
import type { Store } from "./store.ts";

/** Everything that is known of a job when it is made. */
export interface NewJobRow {
  readonly service: CachedService;
  readonly event: FileEvent;
  /** The bytes it pins until it is terminal. */
  readonly input: { readonly blob: number; readonly name: string; readonly sizeBytes: number } | null;
  readonly runName: string | null;
  readonly priority: number;
  readonly retryOf: string | null;
  readonly createdAt: number;
}

const INSERT = `INSERT INTO jobs (seq, id, service, revision, owner, state, wait, open, priority, created_at, not_before, reason,
  message, ended_at, run_name, retry_of, input_blob, input_name, input_bytes, input_bucket, input_key, input_version, input_etag,
  event_id, root_event_id, parent_job_id, hops, event_source, event_time, payload)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const OPEN_BEFORE = "SELECT 1 FROM jobs WHERE open = 1 AND input_bucket = ? AND input_key = ? AND service = ? LIMIT 1";

const LOOP_MESSAGE = `the event came through more than ${MAX_HOPS} jobs in a row (break the loop of services, or filter their inputs)`;

/** Adds a job at the end of its service's queue: behind an open job of the same input key when there is one, and FAILED at once when
 *  its event has gone through too many jobs. */
export function insertJob(store: Store, job: NewJobRow): Job {
  const row = rowOf(store, job);
  insert(store, row, job.event.payload);
  if (row.open === 1 && row.input_blob !== null) pinBlob(store, row.input_blob);
  store.tally.moveJob(row.service, row.owner, null, row.state);
  noteJob(store, row, row.state === FAILED ? "job.failed" : "job.queued", row.created_at);
  if (row.wait === READY) store.tally.wake(row.service);
  return toJob(row);
}

function rowOf(store: Store, job: NewJobRow): JobRow {
  const { service, event } = job;
  const looping = event.hops > MAX_HOPS;
  return {
    seq: store.tally.next("job"),
    id: newJobId(service.name),
    service: service.name,
    revision: service.revisionId,
    owner: service.owner,
    state: looping ? FAILED : QUEUED,
    wait: looping ? null : firstWait(store, service.name, event),
    open: looping ? 0 : 1,
    priority: job.priority,
    created_at: job.createdAt,
    not_before: job.createdAt,
    attempt: 0,
    reason: looping ? "loop" : null,
    message: looping ? LOOP_MESSAGE : "",
    started_at: null,
    ended_at: looping ? job.createdAt : null,
    ...UNTRIED,
    run_name: job.runName,
    retry_of: job.retryOf,
    input_blob: job.input?.blob ?? null,
    input_name: job.input?.name ?? null,
    input_bytes: job.input?.sizeBytes ?? 0,
    ...eventColumns(event),
  };
}

const UNTRIED = {
  script_failures: 0,
  infrastructure_ends: 0,
  unclean_stops: 0,
  exit_code: null,
  signal: null,
  usage: null,
  replaced_outputs: 0,
  output_count: 0,
} as const;

function eventColumns(event: FileEvent) {
  return {
    input_bucket: event.object?.bucket ?? null,
    input_key: event.object?.key ?? null,
    input_version: event.object?.versionSeq ?? null,
    input_etag: event.object?.etag ?? null,
    event_id: event.id,
    root_event_id: event.rootId,
    parent_job_id: event.parentJobId,
    hops: event.hops,
    event_source: event.source,
    event_time: event.time,
  };
}

function firstWait(store: Store, service: string, event: FileEvent): number {
  if (event.object === null) return READY;
  const { bucket, key } = event.object;
  return store.db.get(OPEN_BEFORE, bucket, key, service) === undefined ? READY : BLOCKED;
}

function insert(store: Store, row: JobRow, payload: string): void {
  store.db.run(
    INSERT,
    row.seq,
    row.id,
    row.service,
    row.revision,
    row.owner,
    row.state,
    row.wait,
    row.open,
    row.priority,
    row.created_at,
    row.not_before,
    row.reason,
    row.message,
    row.ended_at,
    row.run_name,
    row.retry_of,
    row.input_blob,
    row.input_name,
    row.input_bytes,
    row.input_bucket,
    row.input_key,
    row.input_version,
    row.input_etag,
    row.event_id,
    row.root_event_id,
    row.parent_job_id,
    row.hops,
    row.event_source,
    row.event_time,
    payload,
  );
}
