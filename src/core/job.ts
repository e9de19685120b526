import type { Resources } from "./resources.ts";

/** ```
 *  QUEUED ──lease──▶ RUNNING ──finish──▶ [DELIVERING ──▶] SUCCEEDED
 *    ▲                 │ ├─ script failed / limit / timeout ─▶ FAILED(reason)   (or QUEUED again while retries are left)
 *    └─ lost, stopped ─┘ └─ cancel ─▶ CANCELLED                               QUEUED ─cancel▶ CANCELLED
 *  ```
 *  The first committed transition into SUCCEEDED, FAILED or CANCELLED wins; nothing leaves those three.
 *  DELIVERING is entered only when outputs go to providers outside. */
export type JobState = "QUEUED" | "RUNNING" | "DELIVERING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

export const TERMINAL_STATES: readonly JobState[] = ["SUCCEEDED", "FAILED", "CANCELLED"];
export const isTerminal = (state: JobState): boolean => TERMINAL_STATES.includes(state);

/** LEASED → RUNNING → STOPPING → ENDED(outcome). Its capacity is free at ENDED. ENDED(lost) may become another outcome: see `mayEndLate`. */
export type AttemptState = "LEASED" | "RUNNING" | "STOPPING" | "ENDED";

/** Why an attempt ended, and so why its job failed when it did.
 *  The script's own: exit (non-zero), signal, timeout, memory, disk, files, pids, image (it cannot be had or run), output_name, output_conflict, output_invalid.
 *  Not the script's: lost (lease), infrastructure, stopped (by the server's own stop), cancelled. Of the job: loop, poison. */
export type Reason =
  | "exit"
  | "signal"
  | "timeout"
  | "memory"
  | "disk"
  | "files"
  | "pids"
  | "image"
  | "output_name"
  | "output_conflict"
  | "output_invalid"
  | "lost"
  | "infrastructure"
  | "stopped"
  | "cancelled"
  | "loop"
  | "poison";

const INFRASTRUCTURE_REASONS: readonly Reason[] = ["lost", "infrastructure"];
/** What says nothing of the script: of an attempt that was given up already it is no news. */
const NO_NEWS: readonly (Reason | "ok")[] = [...INFRASTRUCTURE_REASONS, "stopped", "cancelled"];

/** Whether an attempt that ended by `ended` may still end by `late`: a worker that was taken for lost has the last word on what its script did, as
 *  long as its job waits and no newer attempt was leased (decision 15). The loss is then not held against the job. */
export function mayEndLate(ended: Reason | "ok" | null, late: Reason | "ok"): boolean {
  return ended === "lost" && !NO_NEWS.includes(late);
}

/** Most attempts that may end by lease loss or infrastructure fault before the job fails (promise 2b). */
export const MAX_INFRASTRUCTURE_ENDS = 5;
/** A job that was running at this many unclean stops of the server is taken for their cause (promise 2c). */
export const MAX_UNCLEAN_STOPS = 10;

/** How one attempt ended, as the supervisor reports it. */
export interface AttemptResult {
  /** `ok`, or why not. */
  readonly outcome: "ok" | Reason;
  /** One sentence for people: what happened and, where it is known, the cure. */
  readonly message: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly usage: Usage;
}

/** What an attempt used. Numbers that the machine could not measure are null. */
export interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly outputFiles: number;
}

export const NO_USAGE: Usage = {
  wallMs: 0,
  cpuMs: null,
  memoryPeakBytes: null,
  inputBytes: 0,
  outputBytes: 0,
  outputFiles: 0,
};

/** How often this job's attempts have ended, by who was at fault. */
export interface AttemptCounts {
  readonly scriptFailures: number;
  readonly infrastructureEnds: number;
  readonly uncleanStops: number;
}

/** What the job does after an attempt that did not succeed: wait `backoffExponent` doublings and try again, or end. */
export type AfterAttempt =
  | { readonly next: "retry"; readonly backoffExponent: number; readonly counts: AttemptCounts }
  | { readonly next: "fail"; readonly reason: Reason; readonly counts: AttemptCounts }
  | { readonly next: "cancel"; readonly counts: AttemptCounts };

/** Promise 2, as a pure rule. `clean` says whether a `stopped` attempt was stopped by an orderly drain. */
export function afterAttempt(reason: Reason, before: AttemptCounts, maxAttempts: number, clean = true): AfterAttempt {
  if (reason === "cancelled") return { next: "cancel", counts: before };
  if (reason === "loop" || reason === "poison") return { next: "fail", reason, counts: before };
  if (reason === "stopped") {
    const counts = { ...before, uncleanStops: before.uncleanStops + (clean ? 0 : 1) };
    if (counts.uncleanStops >= MAX_UNCLEAN_STOPS) return { next: "fail", reason: "poison", counts };
    return { next: "retry", backoffExponent: 0, counts };
  }
  if (INFRASTRUCTURE_REASONS.includes(reason)) {
    const counts = { ...before, infrastructureEnds: before.infrastructureEnds + 1 };
    if (counts.infrastructureEnds > MAX_INFRASTRUCTURE_ENDS) return { next: "fail", reason, counts };
    return { next: "retry", backoffExponent: counts.infrastructureEnds, counts };
  }
  const counts = { ...before, scriptFailures: before.scriptFailures + 1 };
  if (counts.scriptFailures >= maxAttempts) return { next: "fail", reason, counts };
  return { next: "retry", backoffExponent: counts.scriptFailures, counts };
}

/** A job as listings and the API show it. Times are UTC ms. */
export interface Job {
  readonly id: string;
  readonly service: string;
  readonly revisionId: string;
  readonly owner: string;
  readonly state: JobState;
  readonly reason: Reason | null;
  readonly message: string;
  readonly priority: number;
  readonly runName: string | null;
  readonly eventId: string;
  readonly rootEventId: string;
  readonly parentJobId: string | null;
  readonly hops: number;
  /** The job this one retries by hand, if any. */
  readonly retryOf: string | null;
  /** Where the input came from; null when it came with a call. */
  readonly input: { readonly bucket: string; readonly key: string; readonly versionSeq: number } | null;
  readonly inputBytes: number;
  readonly createdAt: number;
  /** Not leased before this time (backoff). */
  readonly notBefore: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly attempt: number;
  readonly counts: AttemptCounts;
  /** Of the last attempt. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly usage: Usage | null;
  /** Objects of other jobs that this job's outputs replaced. */
  readonly replacedOutputs: number;
  readonly outputCount: number;
}

export interface Attempt {
  readonly jobId: string;
  /** 1, 2, 3 …: the fencing token. */
  readonly number: number;
  readonly state: AttemptState;
  readonly worker: string;
  readonly leasedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly outcome: "ok" | Reason | null;
  readonly message: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly usage: Usage | null;
  readonly grants: Grants;
}

/** What a lease reserves for its attempt: amounts, and the devices that the scheduler chose. */
export interface Grants {
  readonly resources: Resources;
  readonly devices: readonly string[];
}

/** The right to run one attempt of one job. `attempt` is the fencing token: a finish with an older one is refused. */
export interface Lease {
  readonly jobId: string;
  readonly attempt: number;
  readonly worker: string;
}
