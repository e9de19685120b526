import { checkKey } from "../../../core/keys.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { Principal } from "../../../core/principal.ts";
import type { DeletedObject, DeleteTarget } from "../../object-calls.ts";
import { type BucketRow, mustFindBucket } from "./bucket-rows.ts";
import { settleKey } from "./fan-out.ts";
import { noteRemoved } from "./object-changes.ts";
import { makeRoom, newVersionId } from "./put-object.ts";
import type { Store } from "./store.ts";
import {
  deleteVersion,
  insertLatest,
  latestVersion,
  promoteNewest,
  type VersionRow,
  versionById,
} from "./version-rows.ts";
import { namesVersion } from "./write-condition.ts";

/** What a delete without a version id does:
 *  ```
 *  versioning off        the object goes for good
 *             enabled    a delete marker becomes the latest version, also when there is nothing under the key
 *             suspended  the version called "null" goes for good, and a delete marker of that name becomes the latest version
 *  ```
 *  One with a version id removes that version for good, whatever the versioning.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html */
export function deleteObjects(
  store: Store,
  by: Principal,
  bucketName: string,
  targets: readonly DeleteTarget[],
  at: number,
): DeletedObject[] {
  const bucket = mustFindBucket(store, bucketName);
  return targets.map((target) => deleteTarget(store, by, bucket, target, at));
}

/** A condition is about the latest version, also when another one is to go.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html */
function deleteTarget(store: Store, by: Principal, bucket: BucketRow, target: DeleteTarget, at: number): DeletedObject {
  const { key, versionId = null, ifMatch } = target;
  settleKey(store, bucket, key);
  const latest = latestVersion(store, bucket.id, key);
  const existed = isObject(latest);
  if (ifMatch !== undefined && !namesVersion(ifMatch, latest)) {
    return { key, versionId, existed, deleteMarker: null, refused: true };
  }
  if (versionId !== null) return deleteById(store, bucket, key, versionId, at);
  const deleteMarker = bucket.versioning === 0 ? null : hide(store, by, bucket, key, latest, at);
  if (deleteMarker === null && latest !== undefined) remove(store, bucket, key, latest, at);
  return { key, versionId, existed, deleteMarker, refused: false };
}

function deleteById(store: Store, bucket: BucketRow, key: string, versionId: string, at: number): DeletedObject {
  const row = versionById(store, bucket.id, key, versionId);
  const answer = { key, versionId, existed: row !== undefined, refused: false };
  if (row === undefined) return { ...answer, deleteMarker: null };
  remove(store, bucket, key, row, at);
  if (row.is_latest === 1 && bucket.versioning !== 0) promoteNewest(store, bucket.id, key);
  return { ...answer, deleteMarker: row.is_delete_marker === 1 ? row.version_id : null };
}

function remove(store: Store, bucket: BucketRow, key: string, row: VersionRow, at: number): void {
  deleteVersion(store, row);
  noteRemoved(store, bucket, key, row, at, row.is_delete_marker === 1 ? "removed" : null);
}

/** Makes the delete marker that becomes the latest version; returns its id. */
function hide(
  store: Store,
  by: Principal,
  bucket: BucketRow,
  key: string,
  latest: VersionRow | undefined,
  at: number,
): string {
  checkKey(key);
  const gone = makeRoom(store, bucket, key, latest);
  if (gone !== undefined) noteRemoved(store, bucket, key, gone, at, gone.is_delete_marker === 1 ? "removed" : null);
  const marker = newMarker(store, by, bucket, key, at);
  insertLatest(store, bucket.id, null, marker);
  const row = { version_seq: marker.versionSeq, version_id: marker.versionId, job_id: null };
  noteRemoved(store, bucket, key, row, at, "created");
  return marker.versionId;
}

function newMarker(store: Store, by: Principal, bucket: BucketRow, key: string, at: number): ObjectInfo {
  const versionSeq = store.tally.next("version");
  return {
    bucket: bucket.name,
    key,
    versionSeq,
    versionId: newVersionId(bucket, versionSeq),
    isLatest: true,
    isDeleteMarker: true,
    sizeBytes: 0,
    etag: "",
    contentType: "",
    metadata: {},
    headers: {},
    checksums: {},
    tags: {},
    parts: null,
    lastModified: at,
    owner: by.subject,
    jobId: null,
  };
}

const isObject = (row: VersionRow | undefined): boolean => row !== undefined && row.is_delete_marker === 0;
