import type { JobHead, ServiceQueue } from "../../state.ts";
import { cancelledUpTo } from "./chore-rows.ts";
import { BACKOFF, READY } from "./job-rows.ts";
import type { Store } from "./store.ts";

interface HeadRow {
  readonly seq: number;
  readonly id: string;
  readonly service: string;
  readonly revision: string;
  readonly owner: string;
  readonly priority: number;
  readonly created_at: number;
  readonly input_bytes: number;
}

const HEAD = "SELECT seq, id, service, revision, owner, priority, created_at, input_bytes FROM jobs";
// The indexes are named because without statistics SQLite may walk all queued jobs of the service instead.
const READY_HEADS = `${HEAD} INDEXED BY jobs_open WHERE open = 1 AND service = ? AND wait = ${READY} AND seq > ? ORDER BY priority DESC, seq LIMIT ?`;
const DUE_HEADS = `${HEAD} INDEXED BY jobs_backoff WHERE wait = ${BACKOFF} AND service = ? AND not_before <= ? AND seq > ?
  ORDER BY not_before LIMIT ?`;
const NEXT_DUE = `SELECT MIN(not_before) at FROM jobs INDEXED BY jobs_backoff WHERE wait = ${BACKOFF} AND service = ? AND not_before > ?`;
const COUNTS = "SELECT SUM(queued) queued, SUM(active) active FROM service_counts WHERE service = ?";
const BUSY = "SELECT DISTINCT service FROM service_counts WHERE queued > 0 OR active > 0";

/** Heads come from indexes that hold no blocked job, counts from counters: the cost does not grow with the queue. */
export function queues(
  store: Store,
  services: readonly string[] | null,
  perService: number,
  now: number,
): ServiceQueue[] {
  const names = services ?? store.db.all<{ service: string }>(BUSY).map((row) => row.service);
  return names.map((name) => queue(store, name, perService, now));
}

function queue(store: Store, service: string, perService: number, now: number): ServiceQueue {
  const row = store.db.get<{ queued: number | null; active: number | null }>(COUNTS, service);
  const queued = row?.queued ?? 0;
  const waiting = queued > 0;
  return {
    service,
    heads: waiting ? heads(store, service, perService, now) : [],
    queued,
    active: row?.active ?? 0,
    concurrency: store.services.get(service)?.concurrency ?? null,
    nextAt: waiting ? (store.db.get<{ at: number | null }>(NEXT_DUE, service, now)?.at ?? null) : null,
  };
}

function heads(store: Store, service: string, perService: number, now: number): JobHead[] {
  const doomed = cancelledUpTo(store, service);
  const ready = store.db.all<HeadRow>(READY_HEADS, service, doomed, perService);
  const due = store.db.all<HeadRow>(DUE_HEADS, service, now, doomed, perService);
  const rows = due.length === 0 ? ready : [...ready, ...due].sort(byTurn).slice(0, perService);
  return rows.map((row) => toHead(store, row));
}

const byTurn = (a: HeadRow, b: HeadRow): number => b.priority - a.priority || a.seq - b.seq;

function toHead(store: Store, row: HeadRow): JobHead {
  return {
    jobId: row.id,
    service: row.service,
    revisionId: row.revision,
    owner: row.owner,
    priority: row.priority,
    seq: row.seq,
    createdAt: row.created_at,
    inputBytes: row.input_bytes,
    need: store.services.need(row.revision),
  };
}
