import type { FileEvent } from "../../../core/file-event.ts";
import { newJobId } from "../../../core/ids.ts";
import { pinBlob } from "./blobs.ts";
import { noteJob } from "./job-changes.ts";
import { BLOCKED, FAILED, type JobRow, QUEUED, READY } from "./job-rows.ts";
import { endJob } from "./job-transitions.ts";
import { RowInsert } from "./late-rows.ts";
import { type BornJob, isLoop, LOOP_MESSAGE } from "./queued-job.ts";
import type { CachedService } from "./service-cache.ts";
import type { Store } from "./store.ts";

/** Everything that is known of a job when it is made. */
export interface NewJobRow {
  readonly service: CachedService;
  readonly event: FileEvent;
  /** The bytes it pins: an object until it is terminal, a call's body until its row is removed. */
  readonly input: { readonly blob: number; readonly name: string; readonly sizeBytes: number } | null;
  readonly runName: string | null;
  readonly priority: number;
  readonly retryOf: string | null;
  readonly createdAt: number;
}

const COLUMNS = [
  ...["seq", "id", "service", "revision", "owner", "wait", "priority", "created_at", "event_id", "root_event_id"],
  ...["hops", "event_source", "event_time", "payload", "input_bytes", "parent_job_id", "run_name", "retry_of"],
  ...["input_blob", "input_name", "input_bucket", "input_key", "input_version", "input_etag"],
];
const INSERT = `INSERT INTO jobs (${COLUMNS.join(", ")}, state, open, not_before)
  VALUES (${COLUMNS.map(() => "?").join(", ")}, ${QUEUED}, 1, ?${COLUMNS.indexOf("created_at") + 1})`;
/** Binding a value costs more than a constant or a column's default: a call without an input that starts a chain binds as little as can be,
 *  and its row can wait for others. */
const INSERT_PLAIN = new RowInsert(
  `jobs (seq, id, service, revision, owner, priority, created_at, not_before, event_id, root_event_id, event_source, event_time, payload,
    wait, state, open, hops, input_bytes)`,
  `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${READY}, ${QUEUED}, 1, 0, 0`,
);
const OPEN_BEFORE = "SELECT 1 FROM jobs WHERE open = 1 AND input_bucket = ? AND input_key = ? AND service = ? LIMIT 1";

const LOOP = { state: FAILED, reason: "loop", message: LOOP_MESSAGE } as const;

/** Adds a job at the end of its service's queue: behind an open job of the same input key when there is one, and FAILED at once when
 *  its event has gone through too many jobs. */
export function insertJob(store: Store, job: NewJobRow): BornJob {
  const row = rowOf(store, job);
  insert(store, row, job.event.payload);
  if (row.input_blob !== null) pinBlob(store, row.input_blob);
  store.tally.moveJob(row.service, row.owner, null, QUEUED);
  noteJob(store, row, "job.queued", row.created_at);
  if (isLoop(job.event)) endJob(store, row, LOOP, row.created_at);
  else if (row.wait === READY) store.tally.wake(row.service);
  return { id: row.id, revisionId: row.revision, owner: row.owner, createdAt: row.created_at };
}

function rowOf(store: Store, job: NewJobRow): JobRow {
  const { service, event, input } = job;
  return {
    seq: store.tally.next("job"),
    id: newJobId(service.name),
    service: service.name,
    revision: service.revisionId,
    owner: service.owner,
    state: QUEUED,
    wait: firstWait(store, service.name, event),
    open: 1,
    priority: job.priority,
    created_at: job.createdAt,
    not_before: job.createdAt,
    attempt: 0,
    reason: null,
    message: "",
    started_at: null,
    ended_at: null,
    script_failures: 0,
    infrastructure_ends: 0,
    unclean_stops: 0,
    exit_code: null,
    signal: null,
    usage: null,
    replaced_outputs: 0,
    output_count: 0,
    run_name: job.runName,
    retry_of: job.retryOf,
    input_blob: input?.blob ?? null,
    input_name: input?.name ?? null,
    input_bytes: input?.sizeBytes ?? 0,
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
  if (isPlain(row)) insertPlain(store, row, payload);
  else insertAny(store, row, payload);
}

function insertPlain(store: Store, row: JobRow, payload: string): void {
  const { seq, id, service, revision, owner, priority, created_at, event_id, root_event_id } = row;
  const { event_source, event_time } = row;
  const who = [seq, id, service, revision, owner] as const;
  const when = [priority, created_at, created_at] as const;
  store.db.append(INSERT_PLAIN, ...who, ...when, event_id, root_event_id, event_source, event_time, payload);
}

/** The values are in the order of the columns above. */
function insertAny(store: Store, row: JobRow, payload: string): void {
  const { seq, id, service, revision, owner, wait, priority, created_at, event_id, root_event_id } = row;
  const { hops, event_source, event_time, input_bytes, parent_job_id, run_name, retry_of } = row;
  const { input_blob, input_name, input_bucket, input_key, input_version, input_etag } = row;
  const job = [seq, id, service, revision, owner, wait, priority, created_at, event_id, root_event_id] as const;
  const event = [hops, event_source, event_time, payload, input_bytes, parent_job_id, run_name, retry_of] as const;
  const input = [input_blob, input_name, input_bucket, input_key, input_version, input_etag] as const;
  store.db.run(INSERT, ...job, ...event, ...input);
}

function isPlain(row: JobRow): boolean {
  const { parent_job_id, run_name, retry_of, input_blob, input_key, hops } = row;
  const isFirst = parent_job_id === null && retry_of === null && hops === 0;
  return isFirst && run_name === null && input_blob === null && input_key === null;
}
