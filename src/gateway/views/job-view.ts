import type { Attempt, Job, JobState, Usage } from "../../core/job.ts";
import type { ObjectInfo } from "../../core/object.ts";
import type { JobDetail } from "../../jobs/jobs.ts";
import { rfc3339, rfc3339OrNull } from "../answers.ts";
import type { JobDetail as JobDetailView, Job as JobView } from "../schemas/jobs.ts";

/** Each state in OSCAR's words, which are those of Kubernetes pods. */
const OSCAR_STATUS = {
  QUEUED: "Pending",
  RUNNING: "Running",
  DELIVERING: "Running",
  SUCCEEDED: "Succeeded",
  FAILED: "Failed",
  CANCELLED: "Failed",
} as const satisfies Record<JobState, JobView["status"]>;

export const oscarStatus = (state: JobState): JobView["status"] => OSCAR_STATUS[state];

export function jobView(job: Job): JobView {
  return {
    id: job.id,
    service: job.service,
    state: job.state,
    status: oscarStatus(job.state),
    reason: job.reason,
    message: job.message,
    owner: job.owner,
    revision: job.revisionId,
    run: job.runName,
    priority: job.priority,
    input: job.input === null ? null : { bucket: job.input.bucket, key: job.input.key, version: job.input.versionSeq },
    input_bytes: job.inputBytes,
    event_id: job.eventId,
    root_event_id: job.rootEventId,
    parent_job: job.parentJobId,
    retry_of: job.retryOf,
    hops: job.hops,
    attempt: job.attempt,
    script_failures: job.counts.scriptFailures,
    exit_code: job.exitCode,
    signal: job.signal,
    created_at: rfc3339(job.createdAt),
    not_before: rfc3339(job.notBefore),
    started_at: rfc3339OrNull(job.startedAt),
    ended_at: rfc3339OrNull(job.endedAt),
    usage: usageView(job.usage),
    output_count: job.outputCount,
    replaced_outputs: job.replacedOutputs,
  };
}

export function jobDetailView(detail: JobDetail): JobDetailView {
  return {
    ...jobView(detail.job),
    waits_for: detail.waitsFor,
    attempts: detail.attempts.map(attemptView),
    outputs: detail.outputs.map(outputView),
  };
}

function attemptView(attempt: Attempt): JobDetailView["attempts"][number] {
  return {
    number: attempt.number,
    state: attempt.state,
    worker: attempt.worker,
    outcome: attempt.outcome,
    message: attempt.message,
    exit_code: attempt.exitCode,
    signal: attempt.signal,
    leased_at: rfc3339(attempt.leasedAt),
    started_at: rfc3339OrNull(attempt.startedAt),
    ended_at: rfc3339OrNull(attempt.endedAt),
    usage: usageView(attempt.usage),
    resources: { ...attempt.grants.resources },
  };
}

function outputView(output: ObjectInfo): JobDetailView["outputs"][number] {
  return {
    bucket: output.bucket,
    key: output.key,
    version: output.versionSeq,
    size_bytes: output.sizeBytes,
    etag: output.etag,
    content_type: output.contentType,
  };
}

function usageView(usage: Usage | null): JobView["usage"] {
  if (usage === null) return null;
  return {
    wall_ms: usage.wallMs,
    cpu_ms: usage.cpuMs,
    memory_peak_bytes: usage.memoryPeakBytes,
    input_bytes: usage.inputBytes,
    output_bytes: usage.outputBytes,
    output_files: usage.outputFiles,
  };
}
