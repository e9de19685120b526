import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";

const RESERVE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** A file of 64 MiB that is given up when the disk is full, so that deletes and state changes still commit. Its bytes are written, not only
 *  promised: file systems allocate late. */
export class DiskReserve {
  readonly path: string;
  readonly #bytes: number;

  constructor(path: string, bytes = RESERVE_BYTES) {
    this.path = path;
    this.#bytes = bytes;
  }

  release(): void {
    rmSync(this.path, { force: true });
  }

  /** Makes the file again where there is room. Returns whether it is whole. */
  restore(): boolean {
    if (this.#isWhole()) return true;
    try {
      this.#write();
      return true;
    } catch (error) {
      this.release();
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOSPC" || code === "EDQUOT") return false;
      throw error;
    }
  }

  #isWhole(): boolean {
    const stats = statSync(this.path, { throwIfNoEntry: false });
    return stats !== undefined && stats.size === this.#bytes && stats.blocks * 512 >= this.#bytes;
  }

  #write(): void {
    const fd = openSync(this.path, "w", 0o600);
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (let left = this.#bytes; left > 0; left -= chunk.length)
        writeSync(fd, chunk, 0, Math.min(left, chunk.length));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}
