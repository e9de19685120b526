import { SluiceError } from "../../../core/errors.ts";
import { checkBucketName } from "../../../core/keys.ts";
import type { Bucket } from "../../../core/object.ts";
import type { Principal } from "../../../core/principal.ts";
import { type BucketRow, findBucket, mustFindBucket } from "./bucket-rows.ts";
import { appendChange } from "./changes.ts";
import { purgeObjects } from "./purge.ts";
import type { Store } from "./store.ts";

const INSERT = "INSERT INTO buckets (name, owner, created_at) VALUES (?, ?, ?)";
const SET_VERSIONING = "UPDATE buckets SET versioning = ? WHERE id = ?";
const DELETE = "DELETE FROM buckets WHERE id = ?";
const DELETE_CONFIGS = "DELETE FROM bucket_configs WHERE bucket = ?";
const ALL = "SELECT * FROM buckets ORDER BY name";
const OF_OWNER = "SELECT * FROM buckets WHERE owner = ? ORDER BY name";
// A key with any version has one that is the latest.
const ANY_VERSION = "SELECT 1 FROM objects WHERE bucket = ? AND is_latest = 1 LIMIT 1";
const ANY_PUBLISHED =
  "SELECT 1 FROM staged s JOIN publications p ON p.id = s.publication WHERE s.bucket = ? AND p.state = 1 LIMIT 1";

export function createBucket(store: Store, by: Principal, name: string): Bucket {
  checkBucketName(name);
  if (findBucket(store, name) !== undefined) {
    throw new SluiceError("BUCKET_EXISTS", `Cannot create bucket "${name}": it exists`);
  }
  const bucket = { name, owner: by.subject, createdAt: Date.now(), versioning: "off" } as const;
  store.db.run(INSERT, name, bucket.owner, bucket.createdAt);
  noteBucket(store, "bucket.created", name, bucket.owner, bucket.createdAt);
  return bucket;
}

/** Says what of the bucket is other than before. */
export function noteUpdated(store: Store, row: BucketRow, what: Readonly<Record<string, unknown>>): void {
  const data = { bucket: row.name, ...what };
  const { name: key, owner } = row;
  appendChange(store, { at: Date.now(), owner, kind: "bucket.updated", key, sequencer: 0, data });
}

/** Creates the bucket when nobody has it. */
export function ensureBucket(store: Store, by: Principal, name: string): void {
  if (findBucket(store, name) === undefined) createBucket(store, by, name);
}

/** Unfinished uploads are no objects: they go with the bucket, as `aws s3 rb` and its like expect. */
export function deleteBucket(store: Store, _by: Principal, name: string): void {
  const row = mustFindBucket(store, name);
  const refuse = (state: string): never => {
    throw new SluiceError("BUCKET_NOT_EMPTY", `Cannot delete bucket "${name}": it holds ${state}`);
  };
  if (store.db.get(ANY_PUBLISHED, row.id) !== undefined) refuse("objects (delete them first)");
  if (store.db.get(ANY_VERSION, row.id) !== undefined) refuse("objects or older versions (delete them first)");
  removeRow(store, row);
  purgeObjects(store, row);
}

/** Versions that are there stay as they are. */
export function setVersioning(
  store: Store,
  _by: Principal,
  name: string,
  versioning: Exclude<Bucket["versioning"], "off">,
): void {
  const row = mustFindBucket(store, name);
  store.db.run(SET_VERSIONING, VERSIONING.indexOf(versioning), row.id);
  noteUpdated(store, row, { versioning });
}

/** Removes the bucket with all its objects: at once for readers, the rows of many objects in the background. */
export function removeBucketWithObjects(store: Store, name: string): void {
  const row = findBucket(store, name);
  if (row === undefined) return;
  removeRow(store, row);
  purgeObjects(store, row);
}

export function bucket(store: Store, name: string): Bucket | null {
  const row = findBucket(store, name);
  return row === undefined ? null : toBucket(row);
}

export function buckets(store: Store, owner: string | null): Bucket[] {
  return (owner === null ? store.db.all<BucketRow>(ALL) : store.db.all<BucketRow>(OF_OWNER, owner)).map(toBucket);
}

const VERSIONING = ["off", "enabled", "suspended"] as const;

const toBucket = (row: BucketRow): Bucket => ({
  name: row.name,
  owner: row.owner,
  createdAt: row.created_at,
  versioning: VERSIONING[row.versioning] ?? "off",
});

function removeRow(store: Store, row: BucketRow): void {
  store.db.run(DELETE, row.id);
  store.db.run(DELETE_CONFIGS, row.id);
  noteBucket(store, "bucket.removed", row.name, row.owner, Date.now());
}

function noteBucket(
  store: Store,
  kind: "bucket.created" | "bucket.removed",
  name: string,
  owner: string,
  at: number,
): void {
  appendChange(store, { at, owner, kind, key: name, sequencer: 0, data: { bucket: name } });
}
