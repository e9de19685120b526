import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../lib/clock.ts";

/** What opening a file and looking up its row cost the disk, in bytes read meanwhile. */
const LOOK_BYTES = 16 * 1024;
/** Shorter waits are saved up: a timer is not that exact. */
const LEAST_WAIT_MS = 20;

/** Holds a reader to so many bytes a second. */
export class Pace {
  readonly #clock: Clock;
  readonly #bytesPerSecond: () => number;
  #freeAt = 0;

  /** @param bytesPerSecond asked at each step, as it may change */
  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits as long as what was read is worth. @throws the signal's reason when it aborts */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#clock.monotonicMs();
    this.#freeAt = Math.max(now, this.#freeAt) + ((bytes + LOOK_BYTES) / this.#bytesPerSecond()) * 1000;
    if (this.#freeAt - now >= LEAST_WAIT_MS) await sleep(this.#freeAt - now, undefined, { signal });
  }
}
