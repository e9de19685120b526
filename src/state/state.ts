import type { Change, ChangeKind, ImageChange } from "../core/change.ts";
import type { FileEvent } from "../core/file-event.ts";
import type { Attempt, AttemptResult, Grants, Job, JobState, Lease } from "../core/job.ts";
import type { BlobRef, Bucket, ObjectInfo, StagedBlob, StoredObject } from "../core/object.ts";
import type { Principal } from "../core/principal.ts";
import type { Resources } from "../core/resources.ts";
import type { Revision, Service, ServiceRecord } from "../core/service.ts";
import type { ObjectCalls } from "./object-calls.ts";
import type { StoreCheckCalls } from "./store-check-calls.ts";

/** What an upload brings. Its blob is already durable; `commitUpload` makes it an object, an event and jobs, or nothing. */
export interface Upload {
  readonly by: Principal;
  readonly bucket: string;
  readonly key: string;
  readonly blob: StagedBlob;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly checksums: Readonly<Record<string, string>>;
  /** Default: none. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Evaluated inside the transaction. `ifNoneMatch: "*"` asks that the key does not exist. */
  readonly condition: { readonly ifMatch?: string; readonly ifNoneMatch?: string } | null;
  /** Set when a job's own credential made the upload: its lineage goes on (hops + 1). */
  readonly lineage: Lineage | null;
  readonly at: number;
}

/** The job whose credential writes. */
export interface Lineage {
  readonly rootId: string;
  readonly parentJobId: string;
  /** Of the job itself; the event of what it writes has one more. */
  readonly hops: number;
}

export interface CommittedUpload {
  readonly object: ObjectInfo;
  readonly jobIds: readonly string[];
}

/** An output of an attempt: durable bytes that nobody can see before `finishAttempt`. */
export interface StagedOutput {
  readonly bucket: string;
  readonly key: string;
  readonly blob: StagedBlob;
  readonly contentType: string;
}

export interface ObjectQuery {
  readonly bucket: string;
  readonly prefix: string;
  /** Keys after this one, in UTF-8 byte order. */
  readonly after: string;
  /** Folds keys that share what comes before it behind the prefix into one common prefix; empty for none. */
  readonly delimiter: string;
  /** Keys and common prefixes together, at most. */
  readonly limit: number;
}

export interface ObjectPage {
  readonly objects: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  /** Where the next page goes on (`after`), or null at the end. */
  readonly next: string | null;
}

/** A call that becomes a job. */
export interface NewJob {
  readonly by: Principal;
  readonly service: string;
  readonly event: FileEvent;
  /** The call's body, when the event names no object. */
  readonly body: StagedBlob | null;
  readonly runName: string | null;
  readonly priority: number;
}

/** A job at the head of its service's queue, as the scheduler sees it. */
export interface JobHead {
  readonly jobId: string;
  readonly service: string;
  readonly revisionId: string;
  readonly owner: string;
  readonly priority: number;
  /** Grows with every job: first in, first out. */
  readonly seq: number;
  readonly createdAt: number;
  readonly inputBytes: number;
  /** What one attempt reserves: `spec.resources` of the job's pinned revision. Heads of one revision may share the object. */
  readonly need: Resources;
}

/** One service's queue: at most `perService` heads that could start now, and counts. */
export interface ServiceQueue {
  readonly service: string;
  readonly heads: readonly JobHead[];
  readonly queued: number;
  /** Attempts not yet ENDED, so that a job that is cancelled but still dying counts. */
  readonly active: number;
  /** Most attempts at once, by the service's current revision; null for no limit but capacity. */
  readonly concurrency: number | null;
  /** When the next job of this service leaves its backoff, or null. */
  readonly nextAt: number | null;
}

export interface LeaseRequest {
  readonly jobId: string;
  readonly worker: string;
  readonly grants: Grants;
}

/** Everything an attempt needs to start. */
export interface LeasedJob {
  readonly lease: Lease;
  readonly job: Job;
  readonly revision: Revision;
  readonly event: FileEvent;
  /** Null when there is none. */
  readonly input: LeasedInput | null;
  /** OSCAR_SERVICE_TOKEN of this attempt (64 hex): has the service's rights and dies with the lease. */
  readonly token: string;
}

/** The pinned input. `name` is the object's key, or the name made up for a call's body. */
export interface LeasedInput {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blob: BlobRef;
  readonly blockCrc32c: Uint8Array;
}

export interface FinishedAttempt {
  readonly job: Job;
  /** Jobs that the outputs started. For very many outputs the rest follow in the background. */
  readonly startedJobIds: readonly string[];
  /** When the job goes on by itself, UTC ms; null when it is terminal. */
  readonly retryAt: number | null;
}

export interface JobQuery {
  readonly owner: string | null;
  readonly service?: string;
  readonly states?: readonly JobState[];
  readonly since?: number;
  readonly runName?: string;
  /** Newest first; `after` is the cursor of the page before. */
  readonly after?: string;
  readonly limit: number;
}

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly next: string | null;
}

export interface AppliedService {
  readonly name: string;
  readonly result: "created" | "updated" | "unchanged";
}

export interface ServiceCounts {
  readonly service: string;
  readonly owner: string;
  readonly counts: Readonly<Record<JobState, number>>;
}

/** What a commit changed, for wake-ups; delivered after the commit is durable, at least once per commit. */
export interface CommitNotice {
  readonly lastSeq: number;
  /** Services that gained a job that could start, or lost an active attempt. */
  readonly services: readonly string[];
  readonly kinds: readonly ChangeKind[];
  /** True while `continueFanOut` has something to do. */
  readonly moreToDo?: boolean;
}

export interface StateStats {
  readonly commits: number;
  readonly members: number;
  readonly fsyncs: number;
  readonly largestGroup: number;
}

/** The control plane's memory. Each method is one domain transaction: durable when its promise resolves, or not done at all.
 *  Nothing outside `state/` sees a handle or SQL. Errors are SluiceErrors; UNAUTHENTICATED and FORBIDDEN are not decided here.
 *  Every committed fact appends to the change log in the same transaction. */
export interface State extends ObjectCalls, StoreCheckCalls {
  // Services
  /** All or none. Creates the buckets that inputs and outputs of the embedded store name.
   *  An unchanged definition makes no revision. @throws SERVICE_EXISTS with `create: true`, FORBIDDEN when another owner has the name. */
  applyServices(
    by: Principal,
    specs: readonly Service[],
    mode: "apply" | "create" | "update",
  ): Promise<AppliedService[]>;
  service(name: string): Promise<ServiceRecord | null>;
  /** By name. `owner` null lists all. */
  services(owner: string | null): Promise<ServiceRecord[]>;
  /** Queued jobs of the service are cancelled; running ones go on with their pinned revision. `data` removes the buckets it names
   *  with all objects, when no other service names them. @throws SERVICE_UNKNOWN */
  removeService(by: Principal, name: string, data: boolean): Promise<void>;

  // Buckets and objects
  createBucket(by: Principal, name: string): Promise<Bucket>;
  deleteBucket(by: Principal, name: string): Promise<void>;
  bucket(name: string): Promise<Bucket | null>;
  buckets(owner: string | null): Promise<Bucket[]>;
  /** @throws BUCKET_UNKNOWN, PRECONDITION_FAILED, OBJECT_UNKNOWN when If-Match finds none; the caller then discards the blob. */
  commitUpload(upload: Upload): Promise<CommittedUpload>;
  /** The latest version, or the one named. Delete markers are null. */
  object(bucket: string, key: string, versionSeq?: number): Promise<StoredObject | null>;
  listObjects(query: ObjectQuery): Promise<ObjectPage>;
  /** Keys in all buckets that have an object: latest versions that are no delete markers. Outputs of a large finish count when they are settled. */
  objectCount(): Promise<number>;
  /** Blobs that no row names any more: unlink them, then `forgetBlobs`. */
  garbageBlobs(limit: number): Promise<string[]>;
  forgetBlobs(blobIds: readonly string[]): Promise<void>;
  /** Of these ids, the ones that no row names (left by a crash between staging and commit). */
  unknownBlobs(blobIds: readonly string[]): Promise<string[]>;

  // Jobs
  /** @throws SERVICE_UNKNOWN */
  enqueue(job: NewJob): Promise<Job>;
  /** The queues of these services (all when null), for the scheduler. */
  queues(services: readonly string[] | null, perService: number, now: number): Promise<ServiceQueue[]>;
  /** Leases the jobs that are still QUEUED and ready; the others are left out. */
  leaseJobs(requests: readonly LeaseRequest[], now: number): Promise<LeasedJob[]>;
  /** LEASED → RUNNING. @throws LEASE_STALE */
  startAttempt(lease: Lease, now: number): Promise<void>;
  /** Inserts a chunk (at most 1,000) of outputs that become visible at `finishAttempt`. For attempts with more than 1,000. @throws LEASE_STALE */
  stageOutputs(lease: Lease, outputs: readonly StagedOutput[]): Promise<void>;
  /** Ends the attempt and moves its job, in ONE transaction: with `ok` the outputs (these and the staged ones) become visible together with
   *  SUCCEEDED and start the next jobs; else `afterAttempt` decides. When the job is already CANCELLED the attempt just ends.
   *  A conflict under `on_conflict: fail` turns `ok` into `output_conflict`. `log` is a short log kept in the row.
   *  Blobs of outputs that are not published become garbage.
   *  An attempt that was ended as `lost` may still end by what its script did, as long as its job waits: see `mayEndLate`.
   *  @throws LEASE_STALE when a newer attempt was leased or this one has ended otherwise; nothing is published, and the log says `attempt.fenced`. */
  finishAttempt(
    lease: Lease,
    result: AttemptResult,
    outputs: readonly StagedOutput[],
    log: Uint8Array | null,
    now: number,
  ): Promise<FinishedAttempt>;
  /** At start: ends every open attempt of these workers as `stopped`, uncleanly. Returns how many jobs were queued again. */
  recoverAttempts(worker: string, now: number): Promise<number>;
  /** QUEUED or RUNNING → CANCELLED. `running` is the attempt that must now be stopped (STOPPING). @throws JOB_UNKNOWN, JOB_STATE */
  cancelJob(by: Principal, jobId: string, now: number): Promise<{ job: Job; running: Lease | null }>;
  /** A new chain on the current revision and the same input version. @throws JOB_UNKNOWN, JOB_STATE (not terminal), SERVICE_UNKNOWN, OBJECT_UNKNOWN (input is gone) */
  retryJob(by: Principal, jobId: string, now: number): Promise<Job>;
  /** Finished jobs only. @throws JOB_UNKNOWN, JOB_STATE */
  deleteJob(by: Principal, jobId: string): Promise<void>;
  job(jobId: string): Promise<Job | null>;
  jobs(query: JobQuery): Promise<JobPage>;
  attempts(jobId: string): Promise<Attempt[]>;
  jobEvent(jobId: string): Promise<FileEvent | null>;
  /** The objects a job made, by key. */
  jobOutputs(jobId: string, limit: number): Promise<ObjectInfo[]>;
  /** The short log kept with an attempt, or null. */
  attemptLog(jobId: string, attempt: number): Promise<Uint8Array | null>;
  /** The principal that a token (of a service, or of a running attempt) stands for, or null. */
  tokenPrincipal(token: string): Promise<{ principal: Principal; service: string; lineage: Lineage | null } | null>;
  counts(): Promise<ServiceCounts[]>;
  /** Removes terminal jobs that ended before `before`, in one small batch; returns their ids, so that their log files go too. */
  expireJobs(before: number, limit: number): Promise<string[]>;

  // Change log
  changes(after: number, limit: number, owner: string | null): Promise<Change[]>;
  /** Sequence numbers of the oldest and the newest change kept; 0 and 0 when there is none. */
  changeBounds(): Promise<{ first: number; last: number }>;
  expireChanges(before: number, limit: number): Promise<number>;
  /** Tells those who follow changes of a pull: images themselves are kept elsewhere. */
  noteImage(change: ImageChange, at: number): Promise<void>;
  /** Calls back after each durable commit. Returns the way to stop. */
  subscribe(listener: (notice: CommitNotice) => void): () => void;

  // Upkeep
  /** Goes on with work that a crash or a very large finish left (events of published outputs that are not jobs yet).
   *  Returns true while there is more. */
  continueFanOut(limit: number): Promise<boolean>;
  /** Writes a consistent copy of the database to `file`, which must not exist, while everything runs. Unfinished uploads are not in it. */
  backup(file: string): Promise<void>;
  /** Until the returned function is called, `garbageBlobs` names nothing: the files of a database copy made meanwhile stay where they are. */
  holdBlobs(): () => void;
  stats(): Promise<StateStats>;
  /** Ends after the running transaction. */
  close(): Promise<void>;
}
