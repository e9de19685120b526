import { crashPoint } from "../lib/crash-point.ts";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";
import type { BlobStore } from "./blobs.ts";

/** Blobs removed between two looks at `hold`. */
const BATCH = 500;

export interface SweepOptions {
  readonly state: Pick<State, "garbageBlobs" | "forgetBlobs" | "unknownBlobs">;
  readonly blobs: Pick<BlobStore, "discard" | "list" | "settle">;
  /** True when the process before this one did not end by itself: blobs that it staged may have no row. */
  readonly unclean: boolean;
  readonly log: Log;
  /** Default 5 s. */
  readonly intervalMs?: number;
}

/** Removes the files of blobs that no row names any more.
 *
 *  Order: the row goes in a transaction (which writes the id to the garbage list), then the file, then the id from the list. A crash between
 *  two steps repeats the later ones. Blobs that a crash left without ever having a row are found by walking the folders once.
 *  A backup holds the sweep off while it links files that its copy of the database names. */
export class Sweep {
  readonly #options: SweepOptions;
  #walkLeft: boolean;
  #holders = 0;
  #closed = false;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#walkLeft = options.unclean;
  }

  /** Sweeps now and then every `intervalMs`. */
  start(): void {
    void this.run();
    this.#timer = setInterval(() => void this.run(), this.#options.intervalMs ?? 5000);
    this.#timer.unref();
  }

  /** One whole sweep, or the one that is running. Its failures are logged and tried again at the next. */
  run(): Promise<void> {
    if (this.#stopped()) return Promise.resolve();
    this.#running ??= this.#sweep()
      .catch((error: unknown) => this.#options.log.warn("cannot remove unused blobs: will try again", { error }))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** Resolves when nothing is being removed, and nothing will be before as many `release` as `hold`. */
  async hold(): Promise<void> {
    this.#holders += 1;
    await this.#running;
  }

  release(): void {
    this.#holders -= 1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  #stopped(): boolean {
    return this.#closed || this.#holders > 0;
  }

  async #sweep(): Promise<void> {
    await this.#options.blobs.settle((ids) => this.#options.state.unknownBlobs(ids));
    await this.#removeGarbage();
    if (this.#walkLeft && !this.#stopped()) await this.#walk();
  }

  async #removeGarbage(): Promise<void> {
    for (;;) {
      const ids = await this.#options.state.garbageBlobs(BATCH);
      if (ids.length === 0 || this.#stopped()) return;
      await this.#options.blobs.discard(ids);
      crashPoint("sweep.unlinked");
      await this.#options.state.forgetBlobs(ids);
    }
  }

  /** `list` leaves out what this process staged and has no row yet, so an upload on its way to its row is never taken for a leftover. */
  async #walk(): Promise<void> {
    let removed = 0;
    for await (const ids of this.#options.blobs.list()) {
      for (let at = 0; at < ids.length; at += BATCH) {
        const unknown = await this.#options.state.unknownBlobs(ids.slice(at, at + BATCH));
        if (this.#stopped()) return;
        await this.#options.blobs.discard(unknown);
        removed += unknown.length;
      }
    }
    this.#walkLeft = false;
    if (removed > 0) this.#options.log.info("removed blobs that a crash had left", { blobs: removed });
  }
}
