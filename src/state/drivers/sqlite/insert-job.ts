import type { FileEvent } from "../../../core/file-event.ts";
import { newJobId } from "../../../core/ids.ts";
import { pinBlob } from "./blobs.ts";
import { noteJob } from "./job-changes.ts";
import { BLOCKED, FAILED, type JobRow, QUEUED, READY } from "./job-rows.ts";
import { endJob } from "./job-transitions.ts";
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
  "seq",
  "id",
  "service",
  "revision",
  "owner",
  "wait",
  "priority",
  "created_at",
  "event_id",
  "root_event_id",
];
const MORE_COLUMNS = ["hops", "event_source", "event_time", "payload", "input_bytes"];
const OPTIONAL_COLUMNS = ["parent_job_id", "run_name", "retry_of", "input_blob", "input_name"];
const OBJECT_COLUMNS = ["input_bucket", "input_key", "input_version", "input_etag"];
// Binding a value costs more than leaving its column to the default: calls without an input bind as little as can be.
const INSERT_PLAIN = insertSql([...COLUMNS, ...MORE_COLUMNS]);
const INSERT = insertSql([...COLUMNS, ...MORE_COLUMNS, ...OPTIONAL_COLUMNS, ...OBJECT_COLUMNS]);
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

function insertSql(columns: readonly string[]): string {
  const createdAt = columns.indexOf("created_at") + 1;
  const marks = columns.map(() => "?").join(", ");
  return `INSERT INTO jobs (${columns.join(", ")}, state, open, not_before) VALUES (${marks}, ${QUEUED}, 1, ?${createdAt})`;
}

/** The values are in the order of the columns above. */
function insert(store: Store, row: JobRow, payload: string): void {
  const { seq, id, service, revision, owner, wait, priority, created_at, event_id, root_event_id } = row;
  const { hops, event_source, event_time, input_bytes } = row;
  const always = [seq, id, service, revision, owner, wait, priority, created_at, event_id, root_event_id];
  always.push(hops, event_source, event_time, payload, input_bytes);
  if (isPlain(row)) {
    store.db.run(INSERT_PLAIN, ...always);
    return;
  }
  const { parent_job_id, run_name, retry_of, input_blob, input_name } = row;
  const { input_bucket, input_key, input_version, input_etag } = row;
  const optional = [parent_job_id, run_name, retry_of, input_blob, input_name];
  store.db.run(INSERT, ...always, ...optional, input_bucket, input_key, input_version, input_etag);
}

function isPlain(row: JobRow): boolean {
  const { parent_job_id, run_name, retry_of, input_blob, input_key } = row;
  return parent_job_id === null && run_name === null && retry_of === null && input_blob === null && input_key === null;
}
