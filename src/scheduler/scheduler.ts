import type { Resources } from "../core/resources.ts";
import type { JobHead } from "../state/state.ts";

/** What one queue asks for, for one decision. */
export interface QueueView {
  readonly service: string;
  /** Jobs that could start now, in the order of `compareHeads`. */
  readonly heads: readonly JobHead[];
  readonly concurrency: number | null;
  /** Attempts of the service that hold capacity. */
  readonly active: number;
  /** The job that the last plan refused for want of room (`Waiting.jobId`), and how many attempts were started ahead of it since. */
  readonly overtaken: { readonly jobId: string; readonly times: number } | null;
}

/** A worker: all of it, and what is left of it. */
export interface FreeWorker {
  readonly name: string;
  readonly capacity: Resources;
  readonly free: Resources;
  /** Most attempts at once and how many more may start; null for no limit. */
  readonly slots: number | null;
  readonly freeSlots: number | null;
}

/** One job starts on one worker and reserves its head's `need` there. */
export interface Placement {
  readonly head: JobHead;
  readonly worker: string;
}

/** A resource that is short: what one attempt needs, and the most that a worker has free (of its whole capacity when `too_large`). */
export interface Shortage {
  readonly name: string;
  readonly need: number;
  readonly free: number;
}

/** Why a job waits, and with it the jobs behind it in its service's queue: shown to its owner.
 *  `reserved`: it would fit, but the room is kept for a job that has waited longer; `no_worker`: no worker is there. */
export interface Waiting {
  readonly service: string;
  readonly jobId: string;
  readonly because: "concurrency" | "capacity" | "slots" | "reserved" | "too_large" | "no_worker";
  /** For `capacity` (after this plan) and `too_large`, on the worker that lacks least. */
  readonly lacking: readonly Shortage[];
  /** For `concurrency`: attempts that run, and the most that may. */
  readonly running: number;
  readonly limit: number | null;
  /** Placements of this plan that went ahead of this job, out of turn; the dispatcher adds them up into `QueueView.overtaken`. */
  readonly overtaken: number;
}

export interface Plan {
  readonly placements: readonly Placement[];
  readonly waiting: readonly Waiting[];
}

/** A pure decision over an immutable view: who starts where, now. The dispatcher commits it.
 *  Promises of every policy: no worker's free resources or slots and no service's concurrency are exceeded; each job is placed at most once;
 *  the same view gives the same plan; a job that fits and stands first is never overtaken without end. `waiting` names, of every queue with jobs
 *  left over, the first that is too large for any worker and the first other. */
export interface SchedulingPolicy {
  readonly name: string;
  pick(queues: readonly QueueView[], workers: readonly FreeWorker[]): Plan;
}

/** The order of all queues: higher priority first, then first in, first out. */
export function compareHeads(a: JobHead, b: JobHead): number {
  return b.priority - a.priority || a.seq - b.seq;
}
