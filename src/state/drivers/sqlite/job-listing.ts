import type { SQLInputValue } from "node:sqlite";
import { SluiceError } from "../../../core/errors.ts";
import type { JobPage, JobQuery } from "../../state.ts";
import {
  CANCELLED,
  DELIVERING,
  FAILED,
  JOB_COLUMNS,
  JOB_STATES,
  type JobRow,
  QUEUED,
  RUNNING,
  SUCCEEDED,
  stateCode,
  toJob,
} from "./job-rows.ts";
import { openGroups, QUEUED_WAITS } from "./open-jobs.ts";
import type { Store } from "./store.ts";

/** How far the clock may have been set back between two jobs and still list both rightly. */
const CLOCK_SLACK_MS = 3_600_000;

const FILTERS = "created_at >= ? AND (? IS NULL OR owner = ?)";
const NEWEST = `SELECT ${JOB_COLUMNS} FROM jobs WHERE seq < ? AND seq >= ? AND ${FILTERS} ORDER BY seq DESC LIMIT ?`;
const OF_RUN = `SELECT ${JOB_COLUMNS} FROM jobs INDEXED BY jobs_run_name WHERE run_name = ? AND seq < ? AND seq >= ? AND ${FILTERS}
  ORDER BY seq DESC LIMIT ?`;
const TERMINAL = `SELECT seq FROM jobs INDEXED BY jobs_terminal WHERE open = 0 AND service = ? AND state = ? AND seq < ? AND seq >= ?
  AND ${FILTERS} ORDER BY seq DESC LIMIT ?`;
const OPEN = `SELECT seq, state FROM jobs INDEXED BY jobs_open WHERE open = 1 AND service = ? AND wait IS ? AND priority = ? AND seq < ?
  AND seq >= ? AND ${FILTERS} ORDER BY seq DESC LIMIT ?`;
const OF_SEQ = `SELECT ${JOB_COLUMNS} FROM jobs WHERE seq = ?`;
const QUEUES = `SELECT DISTINCT service FROM service_counts WHERE (? IS NULL OR owner = ?)`;
const CREATED_AT = "SELECT seq, created_at FROM jobs WHERE seq >= ? ORDER BY seq LIMIT 1";
const LAST = "SELECT MAX(seq) seq FROM jobs";

/** Newest first. A filter by service or state reads one index range per service and state (open jobs: per way of waiting and priority)
 *  and merges them, so that a rare state among millions of jobs is found at once. */
export function jobs(store: Store, query: JobQuery): JobPage {
  const rows = pageRows(store, query, query.limit + 1);
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  return { jobs: page.map(toJob), next: rows.length > query.limit && last !== undefined ? String(last.seq) : null };
}

function pageRows(store: Store, query: JobQuery, limit: number): JobRow[] {
  const range = [cursorOf(query), firstSince(store, query.since ?? 0)] as const;
  const filters = filterValues(query);
  if (query.runName !== undefined) {
    const rows = store.db.iterate<JobRow>(OF_RUN, query.runName, ...range, ...filters, -1);
    return take(rows, limit, (row) => matches(row, query));
  }
  if (query.service === undefined && query.states === undefined) {
    return store.db.all<JobRow>(NEWEST, ...range, ...filters, limit);
  }
  const values = [...range, ...filters, limit];
  const numbers = servicesOf(store, query).flatMap((service) => numbersOf(store, service, query, values));
  const newest = numbers.sort((a, b) => b.seq - a.seq).slice(0, limit);
  return newest.flatMap(({ seq }) => store.db.get<JobRow>(OF_SEQ, seq) ?? []);
}

function cursorOf(query: JobQuery): number {
  if (query.after === undefined) return Number.MAX_SAFE_INTEGER;
  if (/^\d{1,15}$/.test(query.after)) return Number(query.after);
  throw new SluiceError("REQUEST_INVALID", `Cannot list jobs: "${query.after}" is not a cursor of a page`);
}

function filterValues(query: JobQuery): SQLInputValue[] {
  return [query.since ?? 0, query.owner, query.owner];
}

function matches(row: JobRow, query: JobQuery): boolean {
  const ofService = query.service === undefined || row.service === query.service;
  return ofService && (query.states === undefined || query.states.some((state) => stateCode(state) === row.state));
}

function take(rows: Iterable<JobRow>, limit: number, wanted: (row: JobRow) => boolean): JobRow[] {
  const taken: JobRow[] = [];
  for (const row of rows) {
    if (wanted(row)) taken.push(row);
    if (taken.length === limit) break;
  }
  return taken;
}

function servicesOf(store: Store, query: JobQuery): string[] {
  if (query.service !== undefined) return [query.service];
  return store.db.all<{ service: string }>(QUEUES, query.owner, query.owner).map((row) => row.service);
}

/** Numbers of the service's newest jobs of the wanted states; `values` bind what follows the index range. */
function numbersOf(
  store: Store,
  service: string,
  query: JobQuery,
  values: readonly SQLInputValue[],
): { seq: number }[] {
  const wanted = new Set((query.states ?? JOB_STATES).map(stateCode));
  const terminal = [SUCCEEDED, FAILED, CANCELLED].filter((state) => wanted.has(state));
  // Those that do not wait are RUNNING or DELIVERING: at most as many as there is capacity for.
  const waits = [
    ...(wanted.has(QUEUED) ? QUEUED_WAITS : []),
    ...(wanted.has(RUNNING) || wanted.has(DELIVERING) ? [null] : []),
  ];
  const open = openGroups(store, service, waits).flatMap(({ wait, priority }) =>
    store.db.all<{ seq: number; state: number }>(OPEN, service, wait, priority, ...values),
  );
  return [
    ...open.filter(({ state }) => wanted.has(state)),
    ...terminal.flatMap((state) => store.db.all<{ seq: number }>(TERMINAL, service, state, ...values)),
  ];
}

/** The lowest number that a job made at or after `since` may have: jobs are numbered in the order of their times, but for a clock that
 *  was set back. */
function firstSince(store: Store, since: number): number {
  if (since <= CLOCK_SLACK_MS) return 0;
  const wanted = since - CLOCK_SLACK_MS;
  let low = 0;
  let high = store.db.get<{ seq: number | null }>(LAST)?.seq ?? 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = store.db.get<{ seq: number; created_at: number }>(CREATED_AT, middle);
    if (row !== undefined && row.created_at < wanted) low = row.seq + 1;
    else high = middle;
  }
  return low;
}
