import { objectCreatedPayload } from "../../../core/event-payload.ts";
import type { FileEvent } from "../../../core/file-event.ts";
import { newEventId } from "../../../core/ids.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { Lineage } from "../../state.ts";
import { dropBlob } from "./blobs.ts";
import type { BucketRow } from "./bucket-rows.ts";
import { insertJob } from "./insert-job.ts";
import { noteCreated } from "./object-changes.ts";
import { NULL_VERSION_ID, textsToColumn } from "./object-rows.ts";
import type { Store } from "./store.ts";

const LATEST = "SELECT version_seq, blob, etag, job_id FROM objects WHERE bucket = ? AND key = ? AND is_latest = 1";
const DELETE = "DELETE FROM objects WHERE version_seq = ?";
const INSERT = `INSERT INTO objects (version_seq, bucket, key, version_id, is_latest, is_delete_marker, blob, size, etag,
  content_type, last_modified, owner, job_id, metadata, headers, checksums, tags, parts)
  VALUES (?, ?, ?, ?, 1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** What a writer needs to know of the object that lies under a key. */
export interface LatestRow {
  readonly version_seq: number;
  readonly blob: number | null;
  readonly etag: string;
  readonly job_id: string | null;
}

/** A new version, before it has its place. The blob's row holds the reference already. */
export interface NewObject {
  readonly info: Omit<ObjectInfo, "versionId" | "isLatest" | "isDeleteMarker">;
  readonly bucket: BucketRow;
  readonly blob: number;
  /** The chain that the object belongs to; null starts one. */
  readonly lineage: Lineage | null;
}

export function latestObject(store: Store, bucket: number, key: string): LatestRow | undefined {
  return store.db.get<LatestRow>(LATEST, bucket, key);
}

/** Removes a version for good. */
export function deleteVersion(store: Store, row: Pick<LatestRow, "version_seq" | "blob">): void {
  store.db.run(DELETE, row.version_seq);
  store.tally.countObject(-1);
  if (row.blob !== null) dropBlob(store, row.blob);
}

/** Puts the version in place of the one before (versioning is off: that one goes), writes the change and the jobs that it starts.
 *  The caller has settled the key. */
export function putObject(store: Store, object: NewObject): { info: ObjectInfo; jobIds: string[] } {
  const { bucket } = object;
  const info: ObjectInfo = { ...object.info, versionId: NULL_VERSION_ID, isLatest: true, isDeleteMarker: false };
  const before = latestObject(store, bucket.id, info.key);
  if (before !== undefined) deleteVersion(store, before);
  insertRow(store, object, info);
  noteCreated(store, bucket, info);
  return { info, jobIds: startJobs(store, object, info) };
}

function insertRow(store: Store, object: NewObject, info: ObjectInfo): void {
  store.tally.countObject(1);
  store.db.run(
    INSERT,
    info.versionSeq,
    object.bucket.id,
    info.key,
    info.versionId,
    object.blob,
    info.sizeBytes,
    info.etag,
    info.contentType,
    info.lastModified,
    info.owner,
    info.jobId,
    textsToColumn(info.metadata),
    textsToColumn(info.headers),
    textsToColumn(info.checksums),
    textsToColumn(info.tags),
    info.parts === null ? null : JSON.stringify(info.parts),
  );
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
