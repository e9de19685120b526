import type { Lease } from "../../../core/job.ts";
import type { StagedOutput } from "../../state.ts";
import { addBlob } from "./blobs.ts";
import { VERSIONED } from "./bucket-rows.ts";
import { settlePublishedTwice } from "./fan-out.ts";
import { holdLease } from "./hold-lease.ts";
import type { JobRow } from "./job-rows.ts";
import { Placing, type Refusal } from "./placing.ts";
import { PUBLISHED, STAGING } from "./publication-end.ts";
import type { Store } from "./store.ts";

export interface PublicationRow {
  readonly id: number;
  readonly staged: number;
  readonly replaced: number;
  /** The newest version when staging began: later objects were not looked at for conflicts. */
  readonly checked_version: number;
  readonly refusal: string | null;
}

const FIND = "SELECT id, staged, replaced, checked_version, refusal FROM publications WHERE job = ? AND attempt = ?";
const INSERT = `INSERT INTO publications (job, attempt, state, staged, replaced, checked_version, job_id, owner, root_event_id, hops)
  VALUES (?, ?, ${STAGING}, 0, 0, ?, ?, ?, ?, ?)`;
const ADD = "UPDATE publications SET staged = ?, replaced = ?, refusal = ? WHERE id = ?";
const STAGE =
  "INSERT INTO staged (publication, bucket, key, n, blob, content_type, replaces) VALUES (?, ?, ?, ?, ?, ?, ?)";
const PUBLISH = `UPDATE publications SET state = ${PUBLISHED}, version_base = ?, published_at = ?, versioned = ? WHERE id = ?`;
const NEXT_BUCKET = `SELECT s.bucket, (SELECT k.versioning FROM buckets k WHERE k.id = s.bucket) versioning FROM staged s
  WHERE s.publication = ? AND s.bucket > ? ORDER BY s.bucket LIMIT 1`;
const NEWER_OBJECTS = `SELECT o.bucket, o.key, o.job_id, s.n, k.name bucket_name
  FROM objects o JOIN staged s ON s.publication = ? AND s.bucket = o.bucket AND s.key = o.key JOIN buckets k ON k.id = o.bucket
  WHERE o.version_seq > ? AND o.is_latest = 1 AND s.replaces = 0`;
const RENAME = "UPDATE staged SET key = ? WHERE publication = ? AND bucket = ? AND key = ? AND n = ?";

export function findPublication(store: Store, job: number, attempt: number): PublicationRow | undefined {
  return store.db.get<PublicationRow>(FIND, job, attempt);
}

export function stageOutputs(store: Store, lease: Lease, outputs: readonly StagedOutput[]): void {
  const { job } = holdLease(store, lease, outputs, "ok");
  addToPublication(store, job, outputs);
}

/** Inserts outputs that nobody can see yet, each under the key that the service's conflict policy gives it now. */
export function addToPublication(store: Store, job: JobRow, outputs: readonly StagedOutput[]): PublicationRow {
  const publication = findPublication(store, job.seq, job.attempt) ?? open(store, job);
  const placing = new Placing(store, job, refusalOf(publication));
  let { staged } = publication;
  for (const output of outputs) {
    staged += 1;
    const place = placing.place(output);
    const blob = addBlob(store, output.blob, 1);
    const { bucket, key, replaces } = place;
    store.db.run(STAGE, publication.id, bucket, key, staged, blob, output.contentType, replaces ? 1 : 0);
  }
  const replaced = publication.replaced + placing.replaced;
  const refusal = placing.refusal === null ? null : JSON.stringify(placing.refusal);
  store.db.run(ADD, staged, replaced, refusal, publication.id);
  return { ...publication, staged, replaced, refusal };
}

/** Looks again at what changed since the outputs were staged. Returns why they cannot be published, or how many objects they replace. */
export function recheck(
  store: Store,
  job: JobRow,
  publication: PublicationRow,
): Refusal | { readonly replaced: number } {
  const refused = refusalOf(publication) ?? missingBucket(store, publication.id);
  if (refused !== null) return refused;
  settlePublishedTwice(store, publication.id);
  const placing = new Placing(store, job, null);
  type Row = { bucket: number; key: string; job_id: string | null; n: number; bucket_name: string };
  for (const row of store.db.all<Row>(NEWER_OBJECTS, publication.id, publication.checked_version)) {
    const key = placing.keyBeside({ id: row.bucket, name: row.bucket_name }, row.key, row.job_id);
    if (key !== row.key) store.db.run(RENAME, key, publication.id, row.bucket, row.key, row.n);
  }
  return placing.refusal ?? { replaced: publication.replaced + placing.replaced };
}

/** The one write that makes all outputs of the attempt visible. */
export function publish(store: Store, publication: PublicationRow, at: number): void {
  const base = store.tally.reserve("version", publication.staged);
  store.db.run(PUBLISH, base, at, versionedBuckets(store, publication.id), publication.id);
}

/** The ids of the buckets whose outputs become versions with ids of their own, between commas; null when there is none. */
function versionedBuckets(store: Store, publication: number): string | null {
  const ids = [...bucketsOf(store, publication)].filter(({ versioning }) => versioning === VERSIONED);
  return ids.length === 0 ? null : `,${ids.map(({ bucket }) => bucket).join(",")},`;
}

function open(store: Store, job: JobRow): PublicationRow {
  const checked = store.tally.last("version");
  store.db.run(INSERT, job.seq, job.attempt, checked, job.id, job.owner, job.root_event_id, job.hops);
  const row = findPublication(store, job.seq, job.attempt);
  if (row === undefined) throw new Error("the publication is missing");
  return row;
}

const refusalOf = (publication: PublicationRow): Refusal | null =>
  publication.refusal === null ? null : (JSON.parse(publication.refusal) as Refusal);

function missingBucket(store: Store, publication: number): Refusal | null {
  for (const { versioning } of bucketsOf(store, publication)) {
    if (versioning === null)
      return { reason: "output_invalid", message: "an output bucket was deleted while the job ran" };
  }
  return null;
}

type StagedBucket = { readonly bucket: number; readonly versioning: number | null };

/** The buckets of the staged rows, by one seek each; `versioning` is null for one that is gone. */
function* bucketsOf(store: Store, publication: number): Generator<StagedBucket> {
  let after = -1;
  for (;;) {
    const next = store.db.get<StagedBucket>(NEXT_BUCKET, publication, after);
    if (next === undefined) return;
    yield next;
    after = next.bucket;
  }
}
