import type { ExecResult } from "./sandbox.ts";

export type Limit = NonNullable<ExecResult["limit"]>;

/** Longest delay that a timer takes; longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface RunStopOptions {
  /** Sends SIGTERM to the script; false when there is nothing that could take it. */
  readonly terminate: () => boolean;
  /** Ends everything at once; may be called again. */
  readonly kill: () => void;
  /** Between SIGTERM and SIGKILL when the wall clock runs out. */
  readonly graceMs: number;
}

/** What ends a run before it ends by itself. The first cause is the one reported, and the first error is the run's.
 *
 *  ```
 *  STARTING ──started──▶ RUNNING ──stop──▶ STOPPING (SIGTERM, grace, SIGKILL) ──ended──▶ ENDED
 *      └─ stop: kept until `started`, which then kills ─┘
 *  ``` */
export class RunStop {
  readonly #options: RunStopOptions;
  #cause: { readonly limit: Limit | null } | null = null;
  #failure: { readonly error: unknown } | null = null;
  #isStarted = false;
  #isEnded = false;
  #killTimer: NodeJS.Timeout | null = null;
  #wallTimer: NodeJS.Timeout | null = null;

  constructor(options: RunStopOptions) {
    this.#options = options;
  }

  /** Null while nothing stops the run; `limit` is null for a stop that was asked for. */
  get cause(): { readonly limit: Limit | null } | null {
    return this.#cause;
  }

  /** @param wallMs from now on; null for ever */
  started(wallMs: number | null): void {
    this.#isStarted = true;
    if (wallMs !== null) this.#startWallClock(wallMs);
    if (this.#cause !== null) this.#options.kill();
  }

  /** SIGTERM, and SIGKILL after `graceMs`. Does nothing after the end. */
  stop(limit: Limit | null, graceMs: number): void {
    if (this.#isEnded) return;
    this.#cause ??= { limit };
    if (!this.#isStarted) return;
    if (this.#killTimer !== null) clearTimeout(this.#killTimer);
    if (graceMs <= 0 || !this.#options.terminate()) this.#options.kill();
    else this.#killTimer = setTimeout(() => this.#options.kill(), graceMs);
  }

  /** The run is worth nothing after this error. */
  fail(error: unknown): void {
    this.keep(error);
    this.stop(null, 0);
  }

  /** The run goes on, and ends with this error. */
  keep(error: unknown): void {
    this.#failure ??= { error };
  }

  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  ended(): void {
    this.#isEnded = true;
    for (const timer of [this.#wallTimer, this.#killTimer]) if (timer !== null) clearTimeout(timer);
  }

  /** Of a run that was stopped before anything ran. */
  beforeStart(): ExecResult {
    const usage = { wallMs: 0, cpuMs: 0, memoryPeakBytes: null };
    return { exitCode: null, signal: "SIGKILL", limit: this.#cause?.limit ?? null, notes: [], usage };
  }

  #startWallClock(leftMs: number): void {
    const now = Math.min(leftMs, MAX_TIMER_MS);
    this.#wallTimer = setTimeout(() => {
      if (leftMs > now) this.#startWallClock(leftMs - now);
      else this.stop("wall", this.#options.graceMs);
    }, now);
  }
}
