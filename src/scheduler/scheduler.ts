import type { Resources } from "../core/resources.ts";
import type { JobHead } from "../state/state.ts";

/** What one queue asks for, for one decision. */
export interface QueueView {
  readonly service: string;
  readonly heads: readonly JobHead[];
  /** Of one attempt. */
  readonly need: Resources;
  readonly concurrency: number | null;
  readonly active: number;
}

/** A worker with what is left of it. */
export interface FreeWorker {
  readonly name: string;
  readonly free: Resources;
  readonly freeSlots: number | null;
}

export interface Placement {
  readonly jobId: string;
  readonly service: string;
  readonly worker: string;
  readonly resources: Resources;
}

/** Why a service's next job waits: shown to its owner. */
export interface Waiting {
  readonly service: string;
  readonly because: "concurrency" | "capacity" | "slots" | "too_large";
  /** The resource names that are short. */
  readonly lacking: readonly string[];
}

export interface Plan {
  readonly placements: readonly Placement[];
  readonly waiting: readonly Waiting[];
}

/** A pure decision over an immutable view: who starts where, now. The dispatcher commits it. */
export interface SchedulingPolicy {
  readonly name: string;
  pick(queues: readonly QueueView[], workers: readonly FreeWorker[], capacity: readonly FreeWorker[]): Plan;
}
