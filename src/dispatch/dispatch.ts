import type { Lease } from "../core/job.ts";
import type { Resources } from "../core/resources.ts";
import type { Waiting } from "../scheduler/scheduler.ts";

/** What is reserved and what waits, for status pages. */
export interface DispatchView {
  readonly workers: readonly {
    readonly name: string;
    readonly backend: string;
    readonly capacity: Resources;
    readonly reserved: Resources;
    readonly attempts: number;
    /** Most attempts at once; null for no limit. */
    readonly slots: number | null;
  }[];
  /** Of the last plan. */
  readonly waiting: readonly Waiting[];
  readonly draining: boolean;
}

/** Why one queued job that is not in its backoff waits:
 *  what the scheduler said of it or of the job before it in its queue; `order`: an earlier job on the same input key is not done;
 *  `turn`: jobs of its service are ahead of it; `busy`: all workers are full; `draining`: the server is stopping. */
export type WaitReason =
  | Waiting
  | { readonly because: "order" | "busy" | "draining" }
  | { readonly because: "turn"; readonly queued: number };

/** The loop that joins jobs, scheduler and backends. It owns the one ledger of capacity: reserved at lease, free at ENDED. */
export interface Dispatcher {
  /** Ends what attempts of an earlier process left open, then looks at all queues and follows the state's notices.
   *  @throws CONFIG_INVALID when two workers have one name; what the state throws. */
  start(): Promise<void>;
  /** Looks at these services' queues again soon (all when empty). Cheap; many calls become one look. */
  wake(services: readonly string[]): void;
  /** Ends a running attempt after its job was cancelled, and one that is just being leased. Resolves when it is gone; at once when it is not here. */
  stopAttempt(lease: Lease): Promise<void>;
  view(): DispatchView;
  /** Null when the job does not wait here, or nobody knows yet. */
  reason(service: string, jobId: string): WaitReason | null;
  /** No new leases; waits up to `timeoutMs` for running attempts, then stops them (their jobs are queued again, uncounted).
   *  Never rejects, and does not wait for ever for an attempt that will not die. Later calls join the first. */
  drain(timeoutMs: number): Promise<void>;
}

/** Watches the leases of workers that may be lost: `open` when the attempt starts, `close` when its capacity is free. */
export interface LeaseWatch {
  open(lease: Lease, ttlMs: number): void;
  close(lease: Lease): void;
}
