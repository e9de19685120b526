import type { FileEvent } from "../core/file-event.ts";
import type { Attempt, Job } from "../core/job.ts";
import type { ObjectInfo, StagedBlob } from "../core/object.ts";
import type { Principal } from "../core/principal.ts";
import type { JobPage, JobQuery } from "../state/state.ts";

/** A call that becomes a job: an event about an object, or a body that is already a durable blob. */
export interface Submission {
  readonly service: string;
  readonly event: FileEvent;
  readonly body: StagedBlob | null;
  readonly runName: string | null;
  readonly priority: number;
}

export interface JobDetail {
  readonly job: Job;
  readonly attempts: readonly Attempt[];
  readonly outputs: readonly ObjectInfo[];
  /** Why a queued job waits, in a sentence; null when it does not wait or nobody knows yet. */
  readonly waitsFor: string | null;
}

/** Jobs as users see them: every call is decided for its principal (unknown and forbidden answer the same), and a committed change wakes who waits. */
export interface Jobs {
  /** @throws SERVICE_UNKNOWN, STOPPING */
  submit(by: Principal, submission: Submission): Promise<Job>;
  /** @throws JOB_UNKNOWN, as `event` does */
  get(by: Principal, jobId: string): Promise<JobDetail>;
  /** One's own, and all for the admin. @throws FORBIDDEN for the token of a service or of an attempt */
  list(by: Principal, query: Omit<JobQuery, "owner">): Promise<JobPage>;
  event(by: Principal, jobId: string): Promise<FileEvent>;
  /** Resolves once the job is CANCELLED; its attempt may still be dying. @throws JOB_UNKNOWN, JOB_STATE */
  cancel(by: Principal, jobId: string): Promise<Job>;
  /** A new job on the service's current revision and the same input. @throws JOB_UNKNOWN, JOB_STATE, SERVICE_UNKNOWN, OBJECT_UNKNOWN, STOPPING */
  retry(by: Principal, jobId: string): Promise<Job>;
  /** Removes a finished job with its logs. @throws JOB_UNKNOWN, JOB_STATE */
  remove(by: Principal, jobId: string): Promise<void>;
}
