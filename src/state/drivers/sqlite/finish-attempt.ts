import { type AttemptResult, afterAttempt, isTerminal, type Lease, type Reason } from "../../../core/job.ts";
import { backoffMs } from "../../../lib/backoff.ts";
import type { FinishedAttempt, StagedOutput } from "../../state.ts";
import { addBlob, discardStaged } from "./blobs.ts";
import { endAttempt } from "./end-attempt.ts";
import { type HeldLease, holdLease } from "./hold-lease.ts";
import { CANCELLED, FAILED, JOB_STATES, type JobRow, SUCCEEDED, toJob } from "./job-rows.ts";
import { countsOf, endJob, jobBySeq, requeueJob } from "./job-transitions.ts";
import { type Place, Placing, type Refusal } from "./placing.ts";
import { discardPublication } from "./publication-end.ts";
import { addToPublication, findPublication, publish, recheck } from "./publications.ts";
import { putObject } from "./put-object.ts";
import type { Store } from "./store.ts";

/** First wait after an infrastructure fault; a script failure waits by its service's own `backoff`. */
const INFRASTRUCTURE_BACKOFF_MS = 1000;
/** Longest wait between attempts, unless the service asks for more from the start. */
const MAX_BACKOFF_MS = 600_000;

/** What publishing came to. */
type Published = { readonly count: number; readonly replaced: number; readonly jobIds: string[] };

/** Ends the attempt and moves its job, in one transaction with what it publishes. */
export function finishAttempt(
  store: Store,
  lease: Lease,
  result: AttemptResult,
  outputs: readonly StagedOutput[],
  log: Uint8Array | null,
  now: number,
): FinishedAttempt {
  const held = holdLease(store, lease, outputs, result.outcome);
  const cancelled = isTerminal(JOB_STATES[held.job.state] ?? "FAILED");
  const published = cancelled || result.outcome !== "ok" ? null : publishOutputs(store, held.job, outputs, now);
  if (published !== null && !("reason" in published)) return succeed(store, held, result, published, log, now);
  discardStaged(
    store,
    outputs.map((output) => output.blob),
  );
  const failed = published === null ? result : { ...result, outcome: published.reason, message: published.message };
  endAttempt(store, held, failed, log, now);
  const finished = cancelled ? unmoved(store, held.job) : goOn(store, held.job, failed, true, now);
  if (failed.outcome === "lost" && finished.retryAt === null) {
    discardPublication(store, held.job.seq, held.attempt.number);
  }
  return finished;
}

/** Moves the job of an attempt that ended other than well: to try again, or to its end (promise 2). */
export function goOn(store: Store, job: JobRow, result: AttemptResult, clean: boolean, now: number): FinishedAttempt {
  const reason = result.outcome === "ok" ? "infrastructure" : result.outcome;
  const { retries } = store.services.revision(job.revision).spec;
  const next = afterAttempt(reason, countsOf(job), retries.maxAttempts, clean);
  const { message } = result;
  const { counts } = next;
  if (next.next === "retry") {
    const notBefore = now + waitMs(reason, next.backoffExponent, retries.backoffMs);
    const row = requeueJob(store, job, { reason, message, counts, notBefore }, now);
    return { job: toJob(row), startedJobIds: [], retryAt: notBefore };
  }
  const state = next.next === "cancel" ? CANCELLED : FAILED;
  const why = next.next === "cancel" ? "cancelled" : next.reason;
  return ended(endJob(store, job, { state, reason: why, message, counts }, now), []);
}

function waitMs(reason: Reason, exponent: number, serviceBackoffMs: number): number {
  const base = reason === "lost" || reason === "infrastructure" ? INFRASTRUCTURE_BACKOFF_MS : serviceBackoffMs;
  return Math.round(backoffMs(exponent, base, Math.max(base, MAX_BACKOFF_MS)));
}

function succeed(
  store: Store,
  held: HeldLease,
  result: AttemptResult,
  published: Published,
  log: Uint8Array | null,
  now: number,
): FinishedAttempt {
  endAttempt(store, held, result, log, now);
  const end = { state: SUCCEEDED, reason: null, message: result.message } as const;
  const counted = { outputCount: published.count, replacedOutputs: published.replaced };
  return ended(endJob(store, held.job, { ...end, ...counted }, now), published.jobIds);
}

const ended = (row: JobRow, startedJobIds: readonly string[]): FinishedAttempt => ({
  job: toJob(row),
  startedJobIds,
  retryAt: null,
});

/** The job was cancelled before; the attempt's end changes nothing but its usage. */
function unmoved(store: Store, job: JobRow): FinishedAttempt {
  return ended(jobBySeq(store, job.seq) ?? job, []);
}

function publishOutputs(store: Store, job: JobRow, outputs: readonly StagedOutput[], now: number): Published | Refusal {
  if (findPublication(store, job.seq, job.attempt) !== undefined) return publishMany(store, job, outputs, now);
  const placing = new Placing(store, job, null);
  const places = outputs.map((output) => ({ output, place: placing.place(output) }));
  if (placing.refusal !== null) return placing.refusal;
  const jobIds = places.flatMap(({ output, place }) => publishOne(store, job, placing, output, place, now));
  return { count: outputs.length, replaced: placing.replaced, jobIds };
}

/** Outputs that were staged before become visible by one write; their jobs follow in the background. */
function publishMany(store: Store, job: JobRow, outputs: readonly StagedOutput[], now: number): Published | Refusal {
  const publication = addToPublication(store, job, outputs);
  const checked = recheck(store, job, publication);
  if ("reason" in checked) return checked;
  publish(store, publication, now);
  return { count: publication.staged, replaced: checked.replaced, jobIds: [] };
}

function publishOne(
  store: Store,
  job: JobRow,
  placing: Placing,
  output: StagedOutput,
  place: Place,
  now: number,
): string[] {
  const bucket = placing.bucket(place.bucketName);
  if (bucket === undefined) throw new Error(`bucket ${place.bucketName} is missing`);
  const { blob, contentType } = output;
  return putObject(store, {
    bucket,
    blob: addBlob(store, blob, 1),
    lineage: { rootId: job.root_event_id, parentJobId: job.id, hops: job.hops },
    info: {
      bucket: bucket.name,
      key: place.key,
      versionSeq: store.tally.next("version"),
      sizeBytes: blob.sizeBytes,
      etag: blob.md5,
      contentType,
      metadata: {},
      headers: {},
      checksums: {},
      tags: {},
      parts: null,
      lastModified: now,
      owner: job.owner,
      jobId: job.id,
    },
  }).jobIds;
}
