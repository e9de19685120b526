import { continueFanOut } from "./background.ts";
import { forgetBlobs, garbageBlobs, unknownBlobs } from "./blobs.ts";
import { bucketConfig, bucketsWithConfig, setBucketConfig } from "./bucket-configs.ts";
import { bucket, buckets, createBucket, deleteBucket, setVersioning } from "./buckets.ts";
import type { CallName, Calls } from "./calls.ts";
import { changeBounds, changes, expireChanges, noteImage } from "./changes.ts";
import { completeUpload } from "./complete-upload.ts";
import { copyObject } from "./copy-object.ts";
import { versionRow } from "./crossing-object.ts";
import { pageRow } from "./crossing-page.ts";
import { committedRow, uploadOf } from "./crossing-upload.ts";
import { deleteObjects } from "./delete-objects.ts";
import { finishAttempt } from "./finish-attempt.ts";
import { jobs } from "./job-listing.ts";
import { cancelJob, enqueue, retryJob } from "./job-orders.ts";
import { attemptLog, attempts, counts, job, jobEvent } from "./job-queries.ts";
import { deleteJob, expireJobs } from "./job-removal.ts";
import { leaseJobs, startAttempt } from "./lease-jobs.ts";
import { listUploads } from "./list-uploads.ts";
import { listVersions } from "./list-versions.ts";
import { listObjects } from "./listing.ts";
import { setObjectTags } from "./object-tags.ts";
import { object, objectVersion } from "./object-version.ts";
import { commitUpload, jobOutputs, objectCount } from "./objects.ts";
import { stageOutputs } from "./publications.ts";
import { queues } from "./queues.ts";
import { recoverAttempts } from "./recover.ts";
import { applyServices, removeService, service, services } from "./services.ts";
import type { Store } from "./store.ts";
import {
  blobPage,
  damagedBlobs,
  damagedCount,
  noteDamage,
  recountBlobs,
  replaceInline,
  saveScrub,
  scrubProgress,
} from "./store-check.ts";
import { tokenPrincipal } from "./tokens.ts";
import { abortUpload, createUpload, forgetCompletedUploads, multipartUpload, parts, putPart } from "./uploads.ts";

type Handler<Name extends CallName> = (
  store: Store,
  ...args: Parameters<Calls[Name]>
) => Awaited<ReturnType<Calls[Name]>>;
type Handlers<Names extends CallName> = { readonly [Name in Names]: Handler<Name> };

/** Calls that change nothing: they run outside transactions. */
const READS = {
  service,
  services,
  bucket,
  buckets,
  bucketConfig,
  bucketsWithConfig,
  object,
  objectVersion: (store, ...named) => versionRow(objectVersion(store, ...named)),
  listObjects: (store, query) => pageRow(listObjects(store, query)),
  listVersions,
  multipartUpload,
  listUploads,
  parts,
  objectCount,
  garbageBlobs,
  unknownBlobs,
  blobPage,
  scrubProgress,
  damagedBlobs,
  damagedCount,
  queues,
  job,
  jobs,
  attempts,
  jobEvent,
  jobOutputs,
  attemptLog,
  tokenPrincipal,
  counts,
  changes,
  changeBounds,
} satisfies Partial<Handlers<CallName>>;

/** Calls that store what users send. When the disk is full they are refused, while all other writes may use the reserve. */
const GROWING = {
  applyServices,
  createBucket,
  commitUpload: (store, ...row) => committedRow(commitUpload(store, uploadOf(row))),
  copyObject,
  createUpload,
  putPart,
  completeUpload,
  setBucketConfig,
  setObjectTags,
  enqueue,
  stageOutputs,
  retryJob,
} satisfies Partial<Handlers<CallName>>;

const OTHER_WRITES = {
  removeService,
  deleteBucket,
  setVersioning,
  deleteObjects,
  abortUpload,
  forgetCompletedUploads,
  forgetBlobs,
  recountBlobs,
  replaceInline,
  saveScrub,
  noteDamage,
  leaseJobs,
  startAttempt,
  finishAttempt,
  recoverAttempts,
  cancelJob,
  deleteJob,
  expireJobs,
  expireChanges,
  noteImage,
  continueFanOut,
} satisfies Partial<Handlers<CallName>>;

/** Every call has exactly one handler: a method of Calls that is missing here does not compile. */
const HANDLERS: Handlers<CallName> = { ...READS, ...GROWING, ...OTHER_WRITES };

export const isRead = (name: CallName): boolean => Object.hasOwn(READS, name);
export const isGrowing = (name: CallName): boolean => Object.hasOwn(GROWING, name);

/** Runs one call. The arguments were typed on the other side of the thread border. */
export function handle(store: Store, name: CallName, args: readonly unknown[]): unknown {
  const handler = HANDLERS[name] as (store: Store, ...args: readonly unknown[]) => unknown;
  return handler(store, ...args);
}
