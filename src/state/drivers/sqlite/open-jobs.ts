import { BACKOFF, BLOCKED, READY } from "./job-rows.ts";
import type { Store } from "./store.ts";

/** Jobs of one service that are not terminal and wait alike: one range of the index `jobs_open`, in order of their numbers.
 *  The index is (service, wait, priority, seq), so that a new job is entered once for its queue and for listings. */
export interface OpenGroup {
  /** NULL for jobs that run. */
  readonly wait: number | null;
  readonly priority: number;
}

const NEXT_PRIORITY = `SELECT priority FROM jobs INDEXED BY jobs_open WHERE open = 1 AND service = ? AND wait IS ? AND priority < ?
  ORDER BY priority DESC LIMIT 1`;
const FIRST = `SELECT seq FROM jobs INDEXED BY jobs_open WHERE open = 1 AND service = ? AND wait IS ? AND priority = ? ORDER BY seq LIMIT 1`;

export const QUEUED_WAITS = [READY, BLOCKED, BACKOFF] as const;

/** The groups that have jobs, found by one seek each. */
export function openGroups(store: Store, service: string, waits: readonly (number | null)[]): OpenGroup[] {
  return waits.flatMap((wait) => prioritiesOf(store, service, wait).map((priority) => ({ wait, priority })));
}

/** The oldest open job of the service, or null. */
export function oldestOpen(store: Store, service: string): number | null {
  const groups = openGroups(store, service, [null, ...QUEUED_WAITS]);
  const firsts = groups.flatMap(
    ({ wait, priority }) => store.db.get<{ seq: number }>(FIRST, service, wait, priority) ?? [],
  );
  return firsts.length === 0 ? null : Math.min(...firsts.map(({ seq }) => seq));
}

function prioritiesOf(store: Store, service: string, wait: number | null): number[] {
  const found: number[] = [];
  let below = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const row = store.db.get<{ priority: number }>(NEXT_PRIORITY, service, wait, below);
    if (row === undefined) return found;
    found.push(row.priority);
    below = row.priority;
  }
}
