import { statfs } from "node:fs/promises";
import { SluiceError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { systemCode } from "./disk-io.ts";

/** How long a look at the file system is believed. What was admitted since is counted against it. */
const BELIEVED_MS = 1000;
const MIN_FREE_BYTES = 1024 ** 3;
const MIN_FREE_SHARE = 0.05;

export interface DiskSpaceOptions {
  readonly folder: string;
  /** Bytes that uploads must leave free; null for 5 % of the file system, at least 1 GiB. */
  readonly keepFreeBytes: number | null;
  /** Called at every ENOSPC, before the error is thrown: the place to release the reserve. */
  readonly onDiskFull: () => void;
  readonly clock: Clock;
}

/** Says no to new bytes while the disk still has room for deletes and state changes. */
export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  #believedUntil = -Infinity;
  #spare = 0;
  #looking: Promise<void> | null = null;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
  }

  /** Refuses when `bytes` more would not fit now. Looks at the file system once a second at most.
   *  @throws SluiceError DISK_FULL */
  async check(bytes: number): Promise<void> {
    if (this.#options.clock.monotonicMs() >= this.#believedUntil) {
      this.#looking ??= this.#look();
      await this.#looking;
    }
    if (this.#spare < bytes) throw this.#full();
  }

  /** The same, and counts them in. */
  async take(bytes: number): Promise<void> {
    await this.check(bytes);
    this.#spare -= bytes;
  }

  async #look(): Promise<void> {
    try {
      const { bsize, blocks, bavail } = await statfs(this.#options.folder);
      const keep = this.#options.keepFreeBytes ?? Math.max(MIN_FREE_BYTES, blocks * bsize * MIN_FREE_SHARE);
      // An empty file needs no byte, but the line of what is kept free must not be crossed either.
      this.#spare = bavail * bsize - keep - 1;
      this.#believedUntil = this.#options.clock.monotonicMs() + BELIEVED_MS;
    } finally {
      this.#looking = null;
    }
  }

  /** ENOSPC and EDQUOT become DISK_FULL, after the reserve was released; other errors stay as they are. */
  translate(error: unknown): unknown {
    const code = systemCode(error);
    if (code !== "ENOSPC" && code !== "EDQUOT") return error;
    this.#believedUntil = -Infinity;
    this.#options.onDiskFull();
    return this.#full(error);
  }

  #full(cause?: unknown): SluiceError {
    return new SluiceError(
      "DISK_FULL",
      "Cannot store the bytes: the data directory's file system is full (delete objects, or give it more room)",
      { cause },
    );
  }
}
