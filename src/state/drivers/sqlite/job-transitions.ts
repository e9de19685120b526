import type { ChangeKind } from "../../../core/change.ts";
import type { AttemptCounts, Reason } from "../../../core/job.ts";
import { noteJob } from "./job-changes.ts";
import { hasBody, unpinInput } from "./job-input.ts";
import { BACKOFF, BLOCKED, CANCELLED, FAILED, JOB_COLUMNS, type JobRow, QUEUED, READY, SUCCEEDED } from "./job-rows.ts";
import { discardPublication } from "./publication-end.ts";
import type { Store } from "./store.ts";

/** What changes when a job becomes terminal, beside its state. */
export interface JobEnd {
  readonly state: typeof SUCCEEDED | typeof FAILED | typeof CANCELLED;
  readonly reason: Reason | null;
  readonly message: string;
  readonly counts?: AttemptCounts;
  readonly outputCount?: number;
  readonly replacedOutputs?: number;
}

const FIND = `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`;
const FIND_SEQ = `SELECT ${JOB_COLUMNS} FROM jobs WHERE seq = ?`;
const END = `UPDATE jobs SET state = ?, wait = NULL, open = 0, ended_at = ?, reason = ?, message = ?, script_failures = ?,
  infrastructure_ends = ?, unclean_stops = ?, output_count = ?, replaced_outputs = ? WHERE seq = ? RETURNING ${JOB_COLUMNS}`;
const REQUEUE = `UPDATE jobs SET state = ?, wait = ?, not_before = ?, reason = ?, message = ?, script_failures = ?,
  infrastructure_ends = ?, unclean_stops = ? WHERE seq = ? RETURNING ${JOB_COLUMNS}`;
const FIRST_OF_KEY =
  "SELECT seq, wait FROM jobs WHERE open = 1 AND input_bucket = ? AND input_key = ? AND service = ? ORDER BY seq LIMIT 1";
const UNBLOCK = `UPDATE jobs SET wait = ${READY} WHERE seq = ?`;

const END_KINDS: Record<JobEnd["state"], ChangeKind> = {
  [SUCCEEDED]: "job.succeeded",
  [FAILED]: "job.failed",
  [CANCELLED]: "job.cancelled",
};

export function findJob(store: Store, id: string): JobRow | undefined {
  return store.db.get<JobRow>(FIND, id);
}

export function jobBySeq(store: Store, seq: number): JobRow | undefined {
  return store.db.get<JobRow>(FIND_SEQ, seq);
}

/** Moves an open job into a terminal state: unpins its input object, lets the next job of its input key go, and logs it. What a lost attempt staged
 *  before it waited goes.
 *  Nothing leaves the state that it enters. */
export function endJob(store: Store, row: JobRow, end: JobEnd, at: number): JobRow {
  const counts = end.counts ?? countsOf(row);
  const ended = store.db.get<JobRow>(
    END,
    end.state,
    at,
    end.reason,
    end.message,
    counts.scriptFailures,
    counts.infrastructureEnds,
    counts.uncleanStops,
    end.outputCount ?? 0,
    end.replacedOutputs ?? 0,
    row.seq,
  );
  if (ended === undefined) throw new Error(`job ${row.id} is missing`);
  if (!hasBody(row)) unpinInput(store, row);
  if (row.state === QUEUED && row.attempt > 0) discardPublication(store, row.seq, row.attempt);
  store.tally.moveJob(row.service, row.owner, row.state, end.state);
  releaseKey(store, row);
  noteJob(store, ended, END_KINDS[end.state], at);
  return ended;
}

/** RUNNING → QUEUED: at once, or after a backoff. The job keeps its place in the order of its input key. */
export function requeueJob(
  store: Store,
  row: JobRow,
  again: {
    readonly reason: Reason;
    readonly message: string;
    readonly counts: AttemptCounts;
    readonly notBefore: number;
  },
  at: number,
): JobRow {
  const { counts } = again;
  const queued = store.db.get<JobRow>(
    REQUEUE,
    QUEUED,
    again.notBefore > at ? BACKOFF : READY,
    again.notBefore,
    again.reason,
    again.message,
    counts.scriptFailures,
    counts.infrastructureEnds,
    counts.uncleanStops,
    row.seq,
  );
  if (queued === undefined) throw new Error(`job ${row.id} is missing`);
  store.tally.moveJob(row.service, row.owner, row.state, QUEUED);
  store.tally.wake(row.service);
  noteJob(store, queued, "job.retrying", at);
  return queued;
}

export const countsOf = (row: JobRow): AttemptCounts => ({
  scriptFailures: row.script_failures,
  infrastructureEnds: row.infrastructure_ends,
  uncleanStops: row.unclean_stops,
});

/** The first open job of a service and input key is never blocked: when it ends, the next one is let go. */
function releaseKey(store: Store, ended: JobRow): void {
  if (ended.input_key === null || ended.input_bucket === null) return;
  const next = store.db.get<{ seq: number; wait: number | null }>(
    FIRST_OF_KEY,
    ended.input_bucket,
    ended.input_key,
    ended.service,
  );
  if (next?.wait !== BLOCKED) return;
  store.db.run(UNBLOCK, next.seq);
  store.tally.wake(ended.service);
}
