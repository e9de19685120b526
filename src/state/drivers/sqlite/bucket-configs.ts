import type { Principal } from "../../../core/principal.ts";
import type { BucketConfigKind } from "../../object-calls.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { noteUpdated } from "./buckets.ts";
import type { Store } from "./store.ts";

const FIND = "SELECT c.body FROM buckets k JOIN bucket_configs c ON c.bucket = k.id WHERE k.name = ? AND c.kind = ?";
const OF_KIND = `SELECT k.name bucket, c.body FROM bucket_configs c JOIN buckets k ON k.id = c.bucket WHERE c.kind = ? ORDER BY k.name`;
const PUT =
  "INSERT INTO bucket_configs (bucket, kind, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body";
const REMOVE = "DELETE FROM bucket_configs WHERE bucket = ? AND kind = ?";

export function bucketConfig(store: Store, bucket: string, kind: BucketConfigKind): string | null {
  return store.db.get<{ body: string }>(FIND, bucket, kind)?.body ?? null;
}

export function setBucketConfig(
  store: Store,
  _by: Principal,
  bucket: string,
  kind: BucketConfigKind,
  body: string | null,
): void {
  const row = mustFindBucket(store, bucket);
  if (body === null) store.db.run(REMOVE, row.id, kind);
  else store.db.run(PUT, row.id, kind, body);
  noteUpdated(store, row, { [kind]: body !== null });
}

export function bucketsWithConfig(store: Store, kind: BucketConfigKind): Array<{ bucket: string; body: string }> {
  return store.db.all<{ bucket: string; body: string }>(OF_KIND, kind).map(({ bucket, body }) => ({ bucket, body }));
}
