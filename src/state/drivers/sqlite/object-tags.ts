import { SluiceError } from "../../../core/errors.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { Principal } from "../../../core/principal.ts";
import { type BucketRow, mustFindBucket } from "./bucket-rows.ts";
import { settleKey } from "./fan-out.ts";
import { noteTagged } from "./object-changes.ts";
import { OBJECT_COLUMNS, type ObjectRow, textsToColumn, toObjectInfo } from "./object-rows.ts";
import type { Store } from "./store.ts";
import { latestVersion, versionById } from "./version-rows.ts";

const SET_TAGS = "UPDATE objects SET tags = ? WHERE version_seq = ?";
const FIND = `SELECT ${OBJECT_COLUMNS} FROM objects o WHERE o.version_seq = ?`;

/** A delete marker carries no tags. */
export function setObjectTags(
  store: Store,
  _by: Principal,
  bucketName: string,
  key: string,
  versionId: string | null,
  tags: ObjectInfo["tags"],
): ObjectInfo {
  const bucket = mustFindBucket(store, bucketName);
  settleKey(store, bucket, key);
  const seq = mustFindVersion(store, bucket, key, versionId);
  store.db.run(SET_TAGS, textsToColumn(tags), seq);
  const row = store.db.get<ObjectRow>(FIND, seq);
  if (row === undefined) throw new Error(`version ${seq} is missing`);
  const info = toObjectInfo(bucketName, row);
  noteTagged(store, bucket, info, Date.now());
  return info;
}

function mustFindVersion(store: Store, bucket: BucketRow, key: string, versionId: string | null): number {
  const row = versionId === null ? latestVersion(store, bucket.id, key) : versionById(store, bucket.id, key, versionId);
  if (row === undefined || row.is_delete_marker === 1) {
    const which = versionId === null ? "it does not exist" : `it has no version ${versionId}`;
    throw new SluiceError("OBJECT_UNKNOWN", `Cannot tag "${bucket.name}/${key}": ${which}`);
  }
  return row.version_seq;
}
