import { SluiceError } from "../core/errors.ts";
import type { Lease } from "../core/job.ts";
import type { LeaseWatch } from "../dispatch/dispatch.ts";
import { endAttempt } from "../dispatch/end-attempt.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";

export interface LeasesOptions {
  readonly state: Pick<State, "finishAttempt">;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once after an attempt was ended as lost: whoever runs it must be stopped, so that its capacity becomes free. */
  lost(lease: Lease): void;
}

/** The leases of workers outside this process, with their deadlines. */
export interface Leases extends LeaseWatch {
  /** Renews the lease and returns its time to live in ms: what a worker is told, never a time of day.
   *  @throws LEASE_STALE when it has expired, was closed, or was never opened here */
  extend(lease: Lease): number;
  /** Leases that have not ended. */
  readonly size: number;
  /** No lease expires after this. */
  stop(): void;
}

interface Watched {
  readonly lease: Lease;
  readonly ttlMs: number;
  /** On the monotonic clock: a change of the time of day ends no lease. */
  deadlineMs: number;
}

/** Ends attempts whose worker has not been heard of for their whole ttl: outcome `lost`, and the job goes on by the rule of infrastructure faults.
 *  ```
 *  open ──extend──▶ open        open ──close──▶ gone
 *    └─ deadline passed ─▶ expired: no longer extended ─▶ finishAttempt(lost) ─▶ `lost` called; a finish that was committed first wins
 *  ```
 *  One timer waits for the earliest deadline it knew when it was set; extending a lease does not touch it, it then finds nothing and waits on. */
export function createLeases(options: LeasesOptions): Leases {
  const { clock, log } = options;
  const watched = new Map<string, Watched>();
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | null = null;

  function arm(): void {
    if (timer !== null || watched.size === 0 || stopped.signal.aborted) return;
    let earliest = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of watched.values()) earliest = Math.min(earliest, deadlineMs);
    timer = setTimeout(fire, Math.max(1, Math.ceil(earliest - clock.monotonicMs()))).unref();
  }

  function fire(): void {
    timer = null;
    const now = clock.monotonicMs();
    for (const [key, { lease, deadlineMs }] of watched) {
      if (deadlineMs > now) continue;
      watched.delete(key);
      void expire(lease);
    }
    arm();
  }

  async function expire(lease: Lease): Promise<void> {
    const message = `Cannot wait longer for worker "${lease.worker}": it has not been heard of for the time of its lease`;
    const ended = await endAttempt(options, lease, { outcome: "lost", message }, stopped.signal);
    if (ended) log.warn("an attempt was lost with its worker", { ...lease });
    if (!stopped.signal.aborted) options.lost(lease);
  }

  return {
    open(lease, ttlMs) {
      watched.set(keyOf(lease), { lease, ttlMs, deadlineMs: clock.monotonicMs() + ttlMs });
      clearTimeout(timer ?? undefined);
      timer = null;
      arm();
    },
    extend(lease) {
      const found = watched.get(keyOf(lease));
      const now = clock.monotonicMs();
      if (found === undefined || found.deadlineMs <= now) {
        throw new SluiceError("LEASE_STALE", `Cannot extend the lease of job "${lease.jobId}": it has ended`);
      }
      found.deadlineMs = now + found.ttlMs;
      return found.ttlMs;
    },
    close: (lease) => void watched.delete(keyOf(lease)),
    get size() {
      return watched.size;
    },
    stop() {
      stopped.abort();
      clearTimeout(timer ?? undefined);
    },
  };
}

const keyOf = ({ jobId, attempt }: Lease): string => `${jobId}#${attempt}`;
