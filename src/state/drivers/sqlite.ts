import type { State } from "../state.ts";
import { AuditThreads } from "./sqlite/audit-thread.ts";
import type { CallName, Calls } from "./sqlite/calls.ts";
import { openChannel, type SqliteOptions } from "./sqlite/channel.ts";
import { bornOf, orderRow } from "./sqlite/crossing-job.ts";
import { versionOf } from "./sqlite/crossing-object.ts";
import { pageOf } from "./sqlite/crossing-page.ts";
import { committedOf, uploadRow } from "./sqlite/crossing-upload.ts";
import { finishCall } from "./sqlite/finish-call.ts";
import { GarbageHold } from "./sqlite/garbage-hold.ts";
import { queuedJob } from "./sqlite/queued-job.ts";
import { ownBytes, ownCompletion, ownOutputs, ownPart } from "./sqlite/staged-bytes.ts";

/** State in one SQLite file, in a worker thread of its own. Writers that wait at the same time share one fsync.
 *  @throws SluiceError DATA_DIR_NEWER when a newer program wrote the file, DATA_DIR_INVALID when it is no database of ours */
export async function openSqliteState(options: SqliteOptions): Promise<State> {
  const channel = await openChannel(options);
  const hold = new GarbageHold();
  const audits = new AuditThreads(options.file);
  const remote = <Name extends CallName>(name: Name): Calls[Name] =>
    ((...args: readonly unknown[]) => channel.call(name, args)) as Calls[Name];
  const stageOutputs: State["stageOutputs"] = (lease, outputs) => remote("stageOutputs")(lease, ownOutputs(outputs));
  const enqueue = remote("enqueue");
  const listObjects = remote("listObjects");
  const objectVersion = remote("objectVersion");
  const commitUpload = remote("commitUpload");
  return {
    applyServices: remote("applyServices"),
    service: remote("service"),
    services: remote("services"),
    removeService: remote("removeService"),
    createBucket: remote("createBucket"),
    deleteBucket: remote("deleteBucket"),
    bucket: remote("bucket"),
    buckets: remote("buckets"),
    commitUpload: async (upload) => committedOf(upload, await commitUpload(...uploadRow(upload))),
    object: remote("object"),
    objectVersion: async (bucket, key, versionId) =>
      versionOf(bucket, key, await objectVersion(bucket, key, versionId)),
    listObjects: async (query) => pageOf(query.bucket, await listObjects(query)),
    objectCount: remote("objectCount"),
    listVersions: remote("listVersions"),
    setVersioning: remote("setVersioning"),
    bucketConfig: remote("bucketConfig"),
    setBucketConfig: remote("setBucketConfig"),
    bucketsWithConfig: remote("bucketsWithConfig"),
    setObjectTags: remote("setObjectTags"),
    copyObject: remote("copyObject"),
    createUpload: remote("createUpload"),
    multipartUpload: remote("multipartUpload"),
    listUploads: remote("listUploads"),
    putPart: (uploadId, part) => remote("putPart")(uploadId, ownPart(part)),
    parts: remote("parts"),
    completeUpload: (completion) => remote("completeUpload")(ownCompletion(completion)),
    abortUpload: remote("abortUpload"),
    forgetCompletedUploads: remote("forgetCompletedUploads"),
    deleteObjects: remote("deleteObjects"),
    garbageBlobs: (limit) => hold.unlessHeld(() => remote("garbageBlobs")(limit)),
    forgetBlobs: remote("forgetBlobs"),
    unknownBlobs: remote("unknownBlobs"),
    blobPage: remote("blobPage"),
    auditStore: (asked, limit) => audits.run(asked, limit),
    recountBlobs: remote("recountBlobs"),
    replaceInline: (row, bytes) => remote("replaceInline")(row, ownBytes(bytes)),
    scrubProgress: remote("scrubProgress"),
    saveScrub: remote("saveScrub"),
    noteDamage: remote("noteDamage"),
    damagedBlobs: remote("damagedBlobs"),
    damagedCount: remote("damagedCount"),
    enqueue: async (job) => queuedJob(job, bornOf(await enqueue(...orderRow(job)))),
    queues: remote("queues"),
    leaseJobs: remote("leaseJobs"),
    startAttempt: remote("startAttempt"),
    stageOutputs,
    finishAttempt: finishCall({ stageOutputs, finishAttempt: remote("finishAttempt") }),
    recoverAttempts: remote("recoverAttempts"),
    cancelJob: remote("cancelJob"),
    retryJob: remote("retryJob"),
    deleteJob: remote("deleteJob"),
    job: remote("job"),
    jobs: remote("jobs"),
    attempts: remote("attempts"),
    jobEvent: remote("jobEvent"),
    jobOutputs: remote("jobOutputs"),
    attemptLog: remote("attemptLog"),
    tokenPrincipal: remote("tokenPrincipal"),
    counts: remote("counts"),
    expireJobs: remote("expireJobs"),
    changes: remote("changes"),
    changeBounds: remote("changeBounds"),
    expireChanges: remote("expireChanges"),
    noteImage: remote("noteImage"),
    continueFanOut: remote("continueFanOut"),
    subscribe: (listener) => channel.subscribe(listener),
    backup: (file) => channel.backup(file),
    holdBlobs: () => hold.take(),
    stats: async () => channel.stats(),
    close: () => channel.close(() => audits.close()),
  };
}
