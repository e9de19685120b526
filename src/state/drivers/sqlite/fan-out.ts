import { dropBlob } from "./blobs.ts";
import { type BucketRow, bucketById, SUSPENDED, VERSIONED } from "./bucket-rows.ts";
import { putObject } from "./put-object.ts";
import type { Store } from "./store.ts";
import { WAS_VERSIONED } from "./version-ids.ts";

/** A staged row with what its publication says about it. */
interface StagedRow {
  readonly publication: number;
  readonly bucket: number;
  readonly key: string;
  readonly n: number;
  readonly blob: number;
  readonly content_type: string;
  readonly version_seq: number;
  readonly size: number;
  readonly md5: string;
  readonly job_id: string;
  readonly owner: string;
  readonly root_event_id: string;
  readonly hops: number;
  readonly published_at: number;
  /** 1 when versioning was enabled when the row became visible. */
  readonly was_versioned: number;
}

type Due = { readonly id: number; readonly state: number };

// `state > 0` beside it lets the index of the few publications that are due answer.
const ANY_PUBLISHED = "SELECT 1 FROM publications WHERE state > 0 AND state = 1 LIMIT 1";
const ANY_DUE = "SELECT 1 FROM publications WHERE state > 0 LIMIT 1";
/** Published ones first, in the order in which they became visible. */
const NEXT_DUE = "SELECT id, state FROM publications WHERE state > 0 ORDER BY state, version_base, id LIMIT 1";
const ROWS = `SELECT s.publication, s.bucket, s.key, s.n, s.blob, s.content_type, p.version_base + s.n version_seq, b.size, b.md5,
  p.job_id, p.owner, p.root_event_id, p.hops, p.published_at, ${WAS_VERSIONED} was_versioned
  FROM staged s JOIN publications p ON p.id = s.publication JOIN blobs b ON b.id = s.blob`;
const OF_PUBLICATION = `${ROWS} WHERE s.publication = ? LIMIT ?`;
const OF_KEY = `${ROWS} WHERE p.state = 1 AND s.bucket = ? AND s.key = ? ORDER BY version_seq`;
const SHARED_KEYS = `SELECT DISTINCT t.bucket, t.key, k.name, k.owner, k.created_at, k.versioning FROM staged s
  JOIN staged t ON t.bucket = s.bucket AND t.key = s.key JOIN publications p ON p.id = t.publication
  JOIN buckets k ON k.id = t.bucket WHERE s.publication = ? AND p.state = 1`;
const DELETE_ROW = "DELETE FROM staged WHERE publication = ? AND bucket = ? AND key = ? AND n = ?";
const DELETE_PUBLICATION = "DELETE FROM publications WHERE id = ?";

/** True while readers must look at staged rows too. */
export function anyPublished(store: Store): boolean {
  return store.db.get(ANY_PUBLISHED) !== undefined;
}

export function anyFanOut(store: Store): boolean {
  return store.db.get(ANY_DUE) !== undefined;
}

/** Makes the published rows of one key objects, with their jobs, before somebody writes under the key: so the order of versions, and of
 *  jobs on the key, is the order in which they became visible. */
export function settleKey(store: Store, bucket: BucketRow, key: string): void {
  if (!anyPublished(store)) return;
  for (const row of store.db.all<StagedRow>(OF_KEY, bucket.id, key)) settleRow(store, row);
}

/** Settles the keys that a publication shares with others that are visible already. */
export function settlePublishedTwice(store: Store, publication: number): void {
  if (!anyPublished(store)) return;
  type Shared = Omit<BucketRow, "id"> & { readonly bucket: number; readonly key: string };
  for (const row of store.db.all<Shared>(SHARED_KEYS, publication))
    settleKey(store, { ...row, id: row.bucket }, row.key);
}

/** Handles at most `limit` rows of the publication that is due first; false when none is. The rows themselves are the cursor: each goes
 *  in the transaction that handles it. */
export function fanOutChunk(store: Store, limit: number): boolean {
  const due = store.db.get<Due>(NEXT_DUE);
  if (due === undefined) return false;
  const rows = store.db.all<StagedRow>(OF_PUBLICATION, due.id, limit);
  for (const row of rows) {
    if (due.state === 1) settleRow(store, row);
    else discardRow(store, row);
  }
  if (rows.length < limit) store.db.run(DELETE_PUBLICATION, due.id);
  return true;
}

function discardRow(store: Store, row: StagedRow): void {
  store.db.run(DELETE_ROW, row.publication, row.bucket, row.key, row.n);
  dropBlob(store, row.blob);
}

/** The bucket as it was for this row: the version id that readers saw must stay. */
function asPublished(bucket: BucketRow, row: StagedRow): BucketRow {
  if (row.was_versioned === 1) return { ...bucket, versioning: VERSIONED };
  return bucket.versioning === VERSIONED ? { ...bucket, versioning: SUSPENDED } : bucket;
}

function settleRow(store: Store, row: StagedRow): void {
  const bucket = bucketById(store, row.bucket);
  if (bucket === undefined) {
    discardRow(store, row);
    return;
  }
  store.db.run(DELETE_ROW, row.publication, row.bucket, row.key, row.n);
  putObject(store, {
    bucket: asPublished(bucket, row),
    blob: row.blob,
    lineage: { rootId: row.root_event_id, parentJobId: row.job_id, hops: row.hops },
    info: {
      bucket: bucket.name,
      key: row.key,
      versionSeq: row.version_seq,
      sizeBytes: row.size,
      etag: row.md5,
      contentType: row.content_type,
      metadata: {},
      headers: {},
      checksums: {},
      tags: {},
      parts: null,
      lastModified: row.published_at,
      owner: row.owner,
      jobId: row.job_id,
    },
  });
}
