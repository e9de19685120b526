import { rmSync, statSync } from "node:fs";
import { type FileHandle, open, statfs } from "node:fs/promises";
import { dirname } from "node:path";

const RESERVE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** A file of 64 MiB that is given up when the disk is full, so that deletes and state changes still commit. Its bytes are written, not only
 *  promised: file systems allocate late. */
export class DiskReserve {
  readonly path: string;
  readonly #bytes: number;
  #releases = 0;

  constructor(path: string, bytes = RESERVE_BYTES) {
    this.path = path;
    this.#bytes = bytes;
  }

  /** Gives the file up, also while it is being made. */
  release(): void {
    this.#releases += 1;
    rmSync(this.path, { force: true });
  }

  /** Makes the file where it is missing and there is room for it and as much again, so that nobody else meets a full disk meanwhile.
   *  Resolves with whether it is whole. One call at a time. */
  async restore(): Promise<boolean> {
    if (this.#isWhole()) return true;
    if (!(await this.#hasRoom())) return false;
    try {
      await this.#write();
    } catch (error) {
      this.release();
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOSPC" || code === "EDQUOT") return false;
      throw error;
    }
    return this.#isWhole();
  }

  #isWhole(): boolean {
    const stats = statSync(this.path, { throwIfNoEntry: false });
    return stats !== undefined && stats.size === this.#bytes && stats.blocks * 512 >= this.#bytes;
  }

  async #hasRoom(): Promise<boolean> {
    const { bavail, bsize } = await statfs(dirname(this.path));
    return bavail * bsize >= 2 * this.#bytes;
  }

  async #write(): Promise<void> {
    const releases = this.#releases;
    const file = await open(this.path, "w", 0o600);
    try {
      await fill(file, this.#bytes, () => this.#releases === releases);
    } finally {
      await file.close();
    }
  }
}

async function fill(file: FileHandle, bytes: number, isWanted: () => boolean): Promise<void> {
  const chunk = Buffer.alloc(Math.min(bytes, CHUNK_BYTES));
  for (let left = bytes; left > 0; ) {
    if (!isWanted()) return;
    left -= (await file.write(chunk, 0, Math.min(left, chunk.length))).bytesWritten;
  }
  await file.sync();
}
