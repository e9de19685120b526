import type { Lease } from "../core/job.ts";
import type { Resources } from "../core/resources.ts";
import type { LeasedJob } from "../state/state.ts";

/** One place that runs attempts, as the scheduler sees it. */
export interface WorkerView {
  readonly name: string;
  /** All that could ever be reserved there. */
  readonly capacity: Resources;
  /** Most attempts at once, whatever they reserve; null for no limit. */
  readonly slots: number | null;
}

/** An engine that provides workers (pull) or takes jobs (push). The engine owns nodes and their quotas; the dispatcher owns the ledger. */
export interface Backend {
  readonly name: string;
  /** Set when its workers may be lost: a lease that is not extended for this long ends as `lost`. Absent where attempts live and die with this process. */
  readonly leaseTtlMs?: number;
  workers(): Promise<readonly WorkerView[]>;
  /** Starts the attempt and returns at once; `ended` is called exactly once, after every process of it is gone and its capacity is
   *  free; its end may still be on its way to the database then. */
  start(leased: LeasedJob, ended: () => void): void;
  /** Ends a running attempt early: cancelled by a user, or stopped by the server. Resolves when it is gone. */
  stop(lease: Lease, reason: "cancelled" | "stopped"): Promise<void>;
  /** Live attempts. */
  running(): readonly Lease[];
  close(): Promise<void>;
}
