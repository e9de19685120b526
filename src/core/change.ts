/** One committed fact. SSE, webhooks, wake-ups, metrics and lineage read these, in order of `seq`. */
export interface Change {
  /** 1, 2, 3 …: also the SSE event id. */
  readonly seq: number;
  readonly at: number;
  readonly owner: string;
  readonly kind: ChangeKind;
  /** What it is about: a job id, a service name, or `bucket/key`. */
  readonly key: string;
  /** Orders the changes of one key: attempt number of a job, version of an object. */
  readonly sequencer: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export type ChangeKind =
  | "object.created"
  | "object.removed"
  | "object.tagged"
  | "bucket.created"
  | "bucket.updated"
  | "bucket.removed"
  | "service.created"
  | "service.updated"
  | "service.removed"
  | "job.queued"
  | "job.running"
  | "job.retrying"
  | "job.succeeded"
  | "job.failed"
  | "job.cancelled"
  | "job.removed"
  | "attempt.fenced";
