import { objectCreatedPayload } from "../../../core/event-payload.ts";
import type { FileEvent } from "../../../core/file-event.ts";
import { newEventId } from "../../../core/ids.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { Lineage } from "../../state.ts";
import { type BucketRow, VERSIONED } from "./bucket-rows.ts";
import { insertJob } from "./insert-job.ts";
import { noteCreated } from "./object-changes.ts";
import type { Store } from "./store.ts";
import { NULL_VERSION_ID, versionIdOf } from "./version-ids.ts";
import {
  deleteVersion,
  insertLatest,
  keepAsOlder,
  latestVersion,
  nullVersion,
  type VersionRow,
} from "./version-rows.ts";

/** A new version, before it has its place. The blob's row holds the reference already. */
export interface NewObject {
  readonly info: Omit<ObjectInfo, "versionId" | "isLatest" | "isDeleteMarker">;
  readonly bucket: BucketRow;
  readonly blob: number;
  /** The chain that the object belongs to; null starts one. */
  readonly lineage: Lineage | null;
}

/** Puts the version in its place, writes the change and the jobs that it starts. The caller has settled the key. */
export function putObject(store: Store, object: NewObject): { info: ObjectInfo; jobIds: string[] } {
  const { bucket, blob } = object;
  const placed = { versionId: newVersionId(bucket, object.info.versionSeq), isLatest: true, isDeleteMarker: false };
  const info: ObjectInfo = { ...object.info, ...placed };
  makeRoom(store, bucket, info.key, latestVersion(store, bucket.id, info.key));
  insertLatest(store, bucket.id, blob, info);
  noteCreated(store, bucket, info);
  return { info, jobIds: startJobs(store, object, info) };
}

/** The id of a version that is written into the bucket as it is now. */
export const newVersionId = (bucket: BucketRow, versionSeq: number): string =>
  bucket.versioning === VERSIONED ? versionIdOf(versionSeq) : NULL_VERSION_ID;

/** Before a new latest version: with versioning enabled the one before stays; else the new one takes the place of the version called "null",
 *  wherever that stands. Returns the version that went.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html */
export function makeRoom(
  store: Store,
  bucket: BucketRow,
  key: string,
  before: VersionRow | undefined,
): VersionRow | undefined {
  if (before === undefined) return undefined;
  const gone = replaced(store, bucket, key, before);
  if (gone !== undefined) deleteVersion(store, gone);
  if (gone !== before) keepAsOlder(store, before);
  return gone;
}

function replaced(store: Store, bucket: BucketRow, key: string, before: VersionRow): VersionRow | undefined {
  if (bucket.versioning === VERSIONED) return undefined;
  return before.version_id === NULL_VERSION_ID ? before : nullVersion(store, bucket.id, key);
}

function startJobs(store: Store, object: NewObject, info: ObjectInfo): string[] {
  const services = store.services.triggeredBy(info.bucket, info.key);
  if (services.length === 0) return [];
  const event = objectEvent(info, object.lineage);
  const input = { blob: object.blob, name: info.key, sizeBytes: info.sizeBytes };
  return services.map(
    (service) =>
      insertJob(store, { service, event, input, runName: null, priority: 0, retryOf: null, createdAt: event.time }).id,
  );
}

function objectEvent(info: ObjectInfo, lineage: Lineage | null): FileEvent {
  const id = newEventId();
  const { bucket, key, versionSeq, etag, sizeBytes } = info;
  const object = { bucket, key, versionSeq, etag, sizeBytes };
  return {
    id,
    source: "object",
    time: info.lastModified,
    object,
    rootId: lineage?.rootId ?? id,
    parentJobId: lineage?.parentJobId ?? null,
    hops: lineage === null ? 0 : lineage.hops + 1,
    payload: objectCreatedPayload(object, info.lastModified, info.owner),
  };
}
