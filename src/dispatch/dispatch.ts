import type { Lease } from "../core/job.ts";
import type { Resources } from "../core/resources.ts";
import type { Waiting } from "../scheduler/scheduler.ts";

/** What is reserved and what waits, for status pages and `waitsFor`. */
export interface DispatchView {
  readonly workers: readonly {
    readonly name: string;
    readonly backend: string;
    readonly capacity: Resources;
    readonly reserved: Resources;
    readonly attempts: number;
  }[];
  readonly waiting: readonly Waiting[];
  readonly draining: boolean;
}

/** The loop that joins jobs, scheduler and backends. It owns the one ledger of capacity: reserved at lease, free at ENDED. */
export interface Dispatcher {
  start(): Promise<void>;
  /** Looks at these services' queues again soon (all when empty). Cheap; many calls become one look. */
  wake(services: readonly string[]): void;
  /** Ends a running attempt after its job was cancelled. */
  stopAttempt(lease: Lease): Promise<void>;
  view(): DispatchView;
  /** No new leases; waits up to `timeoutMs` for running attempts, then stops them (their jobs are queued again, uncounted). */
  drain(timeoutMs: number): Promise<void>;
}
