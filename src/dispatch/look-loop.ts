import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** Times to look again although nobody woke the loop: UTC ms and monotonic ms; infinite for never. */
export interface NextLook {
  readonly utc: number;
  readonly monotonic: number;
}

export interface LookLoopOptions {
  look(): Promise<void>;
  nextLook(): NextLook;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** The longest delay that a timer takes: 2^31 − 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `look` soon after `wake`, one call at a time; any number of wakes before it begins are one.
 *  ```
 *  idle ──wake──▶ due ──next turn of the event loop──▶ looking ──▶ idle, with one timer for `nextLook`
 *                  ▲                                      │ woken meanwhile ─▶ due
 *                  └──── pause over ◀── paused ◀──────────┴ `look` threw, or `failed` was called
 *  ```
 *  Pauses double from 100 ms to 5 s while failures follow each other, with half of it at random, and end with the first success. */
export class LookLoop {
  readonly #options: LookLoopOptions;
  #woken = false;
  #looking = false;
  #stopped = false;
  #failures = 0;
  #due: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #lookFailed = false;

  constructor(options: LookLoopOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#woken = true;
    this.#schedule();
  }

  /** No look begins after this. */
  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#due);
    clearTimeout(this.#timer);
  }

  /** Pauses the loop; work that a look began may report its failure later. */
  failed(error: unknown): void {
    if (this.#paused || this.#stopped) return;
    const longestMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    const pauseMs = Math.ceil(longestMs * (0.5 + Math.random() / 2));
    this.#failures += 1;
    this.#paused = true;
    clearImmediate(this.#due);
    this.#due = undefined;
    this.#options.log.warn("dispatch cannot go on and tries again", { error, failures: this.#failures, pauseMs });
    this.#setTimer(pauseMs, () => {
      this.#paused = false;
      this.wake();
    });
  }

  /** To be called when work that may fail has been done; a look that only read says nothing about leases that failed before. */
  succeeded(): void {
    this.#lookFailed = false;
    if (this.#failures > 0) this.#options.log.info("dispatch goes on", { failures: this.#failures });
    this.#failures = 0;
  }

  #schedule(): void {
    if (this.#stopped || this.#paused || this.#looking || this.#due) return;
    this.#due = setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    this.#due = undefined;
    this.#woken = false;
    this.#looking = true;
    try {
      await this.#options.look();
      if (this.#lookFailed) this.succeeded();
    } catch (error) {
      this.failed(error);
      this.#lookFailed = true;
    }
    this.#looking = false;
    if (this.#stopped || this.#paused) return;
    if (this.#woken) this.#schedule();
    else this.#arm();
  }

  #arm(): void {
    const { clock, nextLook } = this.#options;
    const { utc, monotonic } = nextLook();
    const delayMs = Math.min(utc - clock.now(), monotonic - clock.monotonicMs());
    clearTimeout(this.#timer);
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#setTimer(Math.max(1, Math.ceil(delayMs)), () => this.wake());
  }

  #setTimer(delayMs: number, fire: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(fire, Math.min(MAX_TIMER_MS, delayMs)).unref();
  }
}
