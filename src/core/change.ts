/** One committed fact. SSE, webhooks, wake-ups, metrics and lineage read these, in order of `seq`. */
export interface Change {
  /** 1, 2, 3 …: also the SSE event id. */
  readonly seq: number;
  readonly at: number;
  readonly owner: string;
  readonly kind: ChangeKind;
  /** What it is about: a job id, a service name, `bucket/key`, or an image's name. */
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
  | "attempt.fenced"
  | "image.pulling"
  | "image.pulled"
  | "image.failed";

/** How a pull of an image goes on: said when it begins, now and then, and at its end. */
export interface ImageChange {
  readonly kind: "image.pulling" | "image.pulled" | "image.failed";
  /** Who asked for it first. */
  readonly owner: string;
  /** The image's name. */
  readonly key: string;
  /** Of this pull: 1, 2, 3 … */
  readonly sequencer: number;
  readonly data: Readonly<Record<string, unknown>>;
}
