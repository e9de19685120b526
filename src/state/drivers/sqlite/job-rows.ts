import type { EventObject, FileEvent } from "../../../core/file-event.ts";
import type { Attempt, AttemptState, Grants, Job, JobState, Reason, Usage } from "../../../core/job.ts";

/** States as the database holds them: a state's place here is its code. The order is that of the columns of `service_counts`. */
export const JOB_STATES = ["QUEUED", "RUNNING", "DELIVERING", "SUCCEEDED", "FAILED", "CANCELLED"] as const;
export const [QUEUED, RUNNING, DELIVERING, SUCCEEDED, FAILED, CANCELLED] = [0, 1, 2, 3, 4, 5] as const;
export const stateCode = (state: JobState): number => JOB_STATES.indexOf(state);

/** Why a QUEUED job is not at the head of its queue (`jobs.wait`). */
export const [READY, BLOCKED, BACKOFF] = [0, 1, 2] as const;

export const ATTEMPT_STATES = ["LEASED", "RUNNING", "STOPPING", "ENDED"] as const satisfies readonly AttemptState[];
export const [ATTEMPT_LEASED, ATTEMPT_RUNNING, ATTEMPT_STOPPING, ATTEMPT_ENDED] = [0, 1, 2, 3] as const;

/** Every column of `jobs` but the payload. */
export interface JobRow {
  readonly seq: number;
  readonly id: string;
  readonly service: string;
  readonly revision: string;
  readonly owner: string;
  readonly state: number;
  readonly wait: number | null;
  readonly open: number;
  readonly priority: number;
  readonly created_at: number;
  readonly not_before: number;
  readonly attempt: number;
  readonly reason: string | null;
  readonly message: string;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly script_failures: number;
  readonly infrastructure_ends: number;
  readonly unclean_stops: number;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly usage: string | null;
  readonly replaced_outputs: number;
  readonly output_count: number;
  readonly run_name: string | null;
  readonly retry_of: string | null;
  readonly input_blob: number | null;
  readonly input_name: string | null;
  readonly input_bytes: number;
  readonly input_bucket: string | null;
  readonly input_key: string | null;
  readonly input_version: number | null;
  readonly input_etag: string | null;
  readonly event_id: string;
  readonly root_event_id: string;
  readonly parent_job_id: string | null;
  readonly hops: number;
  readonly event_source: string;
  readonly event_time: number;
}

export const JOB_COLUMNS = `seq, id, service, revision, owner, state, wait, open, priority, created_at, not_before, attempt, reason,
  message, started_at, ended_at, script_failures, infrastructure_ends, unclean_stops, exit_code, signal, usage, replaced_outputs,
  output_count, run_name, retry_of, input_blob, input_name, input_bytes, input_bucket, input_key, input_version, input_etag,
  event_id, root_event_id, parent_job_id, hops, event_source, event_time`;

export function toJob(row: JobRow): Job {
  return {
    id: row.id,
    service: row.service,
    revisionId: row.revision,
    owner: row.owner,
    state: JOB_STATES[row.state] ?? "FAILED",
    reason: row.reason as Reason | null,
    message: row.message,
    priority: row.priority,
    runName: row.run_name,
    eventId: row.event_id,
    rootEventId: row.root_event_id,
    parentJobId: row.parent_job_id,
    hops: row.hops,
    retryOf: row.retry_of,
    input: inputOf(row),
    inputBytes: row.input_bytes,
    createdAt: row.created_at,
    notBefore: row.not_before,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    attempt: row.attempt,
    counts: {
      scriptFailures: row.script_failures,
      infrastructureEnds: row.infrastructure_ends,
      uncleanStops: row.unclean_stops,
    },
    exitCode: row.exit_code,
    signal: row.signal,
    usage: usageOf(row.usage),
    replacedOutputs: row.replaced_outputs,
    outputCount: row.output_count,
  };
}

export function toEvent(row: JobRow & { readonly payload: string }): FileEvent {
  return {
    id: row.event_id,
    source: row.event_source as FileEvent["source"],
    time: row.event_time,
    object: eventObjectOf(row),
    rootId: row.root_event_id,
    parentJobId: row.parent_job_id,
    hops: row.hops,
    payload: row.payload,
  };
}

function inputOf(row: JobRow): Job["input"] {
  const object = eventObjectOf(row);
  return object === null ? null : { bucket: object.bucket, key: object.key, versionSeq: object.versionSeq };
}

function eventObjectOf(row: JobRow): EventObject | null {
  const { input_bucket: bucket, input_key: key, input_version: versionSeq, input_etag: etag } = row;
  if (bucket === null || key === null || versionSeq === null || etag === null) return null;
  return { bucket, key, versionSeq, etag, sizeBytes: row.input_bytes };
}

export interface AttemptRow {
  readonly id: number;
  readonly job: number;
  readonly number: number;
  readonly state: number;
  readonly worker: string;
  readonly leased_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly outcome: string | null;
  readonly message: string;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly usage: string | null;
  readonly grants: string;
}

/** Every column of `attempts` but the token's hash and the log. */
export const ATTEMPT_COLUMNS =
  "id, job, number, state, worker, leased_at, started_at, ended_at, outcome, message, exit_code, signal, usage, grants";

export function toAttempt(jobId: string, row: AttemptRow): Attempt {
  return {
    jobId,
    number: row.number,
    state: ATTEMPT_STATES[row.state] ?? "ENDED",
    worker: row.worker,
    leasedAt: row.leased_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    outcome: row.outcome as Attempt["outcome"],
    message: row.message,
    exitCode: row.exit_code,
    signal: row.signal,
    usage: usageOf(row.usage),
    grants: JSON.parse(row.grants) as Grants,
  };
}

const usageOf = (column: string | null): Usage | null => (column === null ? null : (JSON.parse(column) as Usage));
