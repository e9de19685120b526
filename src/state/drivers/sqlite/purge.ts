import type { BucketRow } from "./bucket-rows.ts";
import { addChore } from "./chore-rows.ts";
import { noteRemoved } from "./object-changes.ts";
import { deleteVersion, type LatestRow } from "./put-object.ts";
import type { Store } from "./store.ts";

/** Objects that a removed bucket loses in the transaction of its removal; the rest follows in the background. */
const AT_ONCE = 500;

const SOME = "SELECT version_seq, blob, etag, job_id, key FROM objects WHERE bucket = ? AND is_latest = 1 LIMIT ?";

type Gone = Pick<BucketRow, "id" | "name" | "owner">;

export function purgeObjects(store: Store, bucket: Gone): void {
  if (purgeChunk(store, bucket, AT_ONCE) < AT_ONCE) return;
  addChore(store, { kind: "purge", subject: bucket.name, owner: bucket.owner, upto: bucket.id });
}

/** Removes at most `limit` objects of a bucket whose row is gone; returns how many. */
export function purgeChunk(store: Store, bucket: Gone, limit: number): number {
  const rows = store.db.all<LatestRow & { key: string }>(SOME, bucket.id, limit);
  const at = Date.now();
  for (const row of rows) {
    deleteVersion(store, row);
    noteRemoved(store, bucket, row.key, row, at);
  }
  return rows.length;
}
