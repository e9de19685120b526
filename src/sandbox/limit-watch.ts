export type WatchedLimit = "memory" | "disk" | "files";

/** Time between looks; also before the first, so that short jobs never pay for one. */
const LOOK_EVERY_MS = 200;
/** A look at a large folder takes its time: then looks come rarer, and take at most a fifth of one core. */
const REST_PER_LOOK = 4;

/** Looks every 200 ms at what no kernel limit holds. Calls `exceeded` once. */
export class LimitWatch {
  readonly #look: () => Promise<WatchedLimit | null>;
  readonly #exceeded: (limit: WatchedLimit) => void;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param look the limit that is exceeded now; when it fails (the script moved a folder under the walk) the next look counts, and the size at the end anyway */
  constructor(look: () => Promise<WatchedLimit | null>, exceeded: (limit: WatchedLimit) => void) {
    this.#look = look;
    this.#exceeded = exceeded;
    this.#lookIn(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #lookIn(waitMs: number): void {
    this.#timer = setTimeout(() => {
      const begun = performance.now();
      this.#look().then(
        (limit) => {
          if (this.#stopped) return;
          if (limit !== null) this.#exceeded(limit);
          else this.#lookIn(Math.max(LOOK_EVERY_MS, REST_PER_LOOK * (performance.now() - begun)));
        },
        () => {
          if (!this.#stopped) this.#lookIn(LOOK_EVERY_MS);
        },
      );
    }, waitMs);
  }
}
