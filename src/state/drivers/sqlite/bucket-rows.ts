import { SluiceError } from "../../../core/errors.ts";
import type { Store } from "./store.ts";

/** A bucket's row. Objects name it by `id`, so that a bucket made anew under an old name starts empty. */
export interface BucketRow {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly created_at: number;
  /** 0 never on, 1 enabled, 2 suspended. */
  readonly versioning: number;
}

/** `BucketRow.versioning` of a bucket that keeps versions. */
export const VERSIONED = 1;
/** Of one that keeps those it has. */
export const SUSPENDED = 2;

const FIND = "SELECT * FROM buckets WHERE name = ?";
const FIND_ID = "SELECT * FROM buckets WHERE id = ?";

export function findBucket(store: Store, name: string): BucketRow | undefined {
  return store.db.get<BucketRow>(FIND, name);
}

/** @throws SluiceError BUCKET_UNKNOWN */
export function mustFindBucket(store: Store, name: string): BucketRow {
  const row = findBucket(store, name);
  if (row === undefined) throw new SluiceError("BUCKET_UNKNOWN", `Cannot use bucket "${name}": it does not exist`);
  return row;
}

export function bucketById(store: Store, id: number): BucketRow | undefined {
  return store.db.get<BucketRow>(FIND_ID, id);
}
