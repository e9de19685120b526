import type { BucketRow } from "./bucket-rows.ts";
import { addChore } from "./chore-rows.ts";
import { noteRemoved } from "./object-changes.ts";
import { purgeUploads } from "./purge-uploads.ts";
import type { Store } from "./store.ts";
import { deleteVersion, VERSION_COLUMNS, type VersionRow } from "./version-rows.ts";

/** Objects that a removed bucket loses in the transaction of its removal; the rest follows in the background. */
const AT_ONCE = 500;

const OLDER = `SELECT ${VERSION_COLUMNS}, key FROM objects WHERE bucket = ? AND is_latest = 0 LIMIT ?`;
const LATEST = `SELECT ${VERSION_COLUMNS}, key FROM objects WHERE bucket = ? AND is_latest = 1 LIMIT ?`;

type Gone = Pick<BucketRow, "id" | "name" | "owner">;

export function purgeObjects(store: Store, bucket: Gone): void {
  if (purgeChunk(store, bucket, AT_ONCE) < AT_ONCE) return;
  addChore(store, { kind: "purge", subject: bucket.name, owner: bucket.owner, upto: bucket.id });
}

/** Removes at most `limit` rows of a bucket whose own row is gone: versions, open uploads and their parts. Returns how many. */
export function purgeChunk(store: Store, bucket: Gone, limit: number): number {
  let removed = purgeUploads(store, bucket.id, limit);
  for (const sql of [OLDER, LATEST]) if (removed < limit) removed += purgeVersions(store, bucket, sql, limit - removed);
  return removed;
}

function purgeVersions(store: Store, bucket: Gone, sql: string, limit: number): number {
  const rows = store.db.all<VersionRow & { key: string }>(sql, bucket.id, limit);
  const at = Date.now();
  for (const row of rows) {
    deleteVersion(store, row);
    noteRemoved(store, bucket, row.key, row, at, row.is_delete_marker === 1 ? "removed" : null);
  }
  return rows.length;
}
