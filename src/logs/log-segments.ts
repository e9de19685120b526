import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LOG_MAGIC } from "./log-record.ts";

/** Files that the tail goes round in. More of them keep more of the tail: with four, at least three quarters of its share. */
export const TAIL_FILES = 4;

/** `DIR/logs/<2 hex of the job id's hash>`. */
export function logFolder(root: string, jobId: string): string {
  return join(root, createHash("sha256").update(jobId).digest("hex").slice(0, 2));
}

/** Segment 0 is the head, `<jobId>.<attempt>.log`; segment n ≥ 1 of the tail lies in one of the files `.log.0` to `.log.3` in turn. */
export function segmentFile(head: string, segment: number): string {
  return segment === 0 ? head : `${head}.${segment % TAIL_FILES}`;
}

/** The files of one live log. The head takes the first half of the limit and stays; then the tail goes round in `TAIL_FILES` files that
 *  share the second half. A file is unlinked before its name is used again, so that a reader in the middle of it can go on.
 *  One caller at a time. */
export class LogSegments {
  readonly head: string;
  readonly #headBytes: number;
  readonly #tailBytes: number;
  #newest = -1;
  #handle: FileHandle | null = null;
  #position = 0;

  constructor(head: string, maxBytes: number) {
    this.head = head;
    this.#headBytes = Math.floor(maxBytes / 2);
    this.#tailBytes = Math.floor(maxBytes / 2 / TAIL_FILES);
  }

  /** Number of the newest segment; -1 before anything was written. */
  get newest(): number {
    return this.#newest;
  }

  /** The oldest segment of the tail that is still there. */
  get oldestTail(): number {
    return Math.max(1, this.#newest - TAIL_FILES + 1);
  }

  /** Bytes of the newest segment that readers may look at. */
  get committedBytes(): number {
    return this.#position;
  }

  /** Appends whole records. @throws the file system's error; nothing of this call is then kept, and the next call goes on. */
  async append(parts: readonly Buffer[], bytes: number): Promise<void> {
    const limit = this.#newest <= 0 ? this.#headBytes : this.#tailBytes;
    const full = this.#position > 0 && this.#position + bytes > limit;
    const handle = this.#handle === null || full ? await this.#next() : this.#handle;
    try {
      await this.#writeAll(handle, this.#position === 0 ? [LOG_MAGIC, ...parts] : [...parts]);
    } catch (error) {
      await handle.truncate(this.#position);
      throw error;
    }
  }

  /** Bytes and names of every segment that is kept are durable when it resolves. */
  async sync(): Promise<void> {
    if (this.#newest < 0) return;
    const kept = new Set([0]);
    for (let segment = this.oldestTail; segment <= this.#newest; segment++) kept.add(segment);
    await Promise.all([...kept].map((segment) => syncPath(segmentFile(this.head, segment))));
    // Another log that has not ended yet may have made the folder.
    const folder = dirname(this.head);
    for (const path of [folder, dirname(folder)]) await syncPath(path);
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async remove(): Promise<void> {
    await this.close();
    const segments = [0, ...Array.from({ length: TAIL_FILES }, (_, index) => index + 1)];
    if (this.#newest >= 0) await Promise.all(segments.map((n) => rm(segmentFile(this.head, n), { force: true })));
  }

  async #next(): Promise<FileHandle> {
    await this.close();
    if (this.#newest < 0) mkdirSync(dirname(this.head), { recursive: true, mode: 0o700 });
    const file = segmentFile(this.head, this.#newest + 1);
    // Readers look at `oldestTail` after they opened a file: it must move on before the name changes its meaning.
    this.#newest += 1;
    this.#position = 0;
    try {
      await rm(file, { force: true });
      this.#handle = await open(file, "wx", 0o600);
      return this.#handle;
    } catch (error) {
      this.#newest -= 1;
      throw error;
    }
  }

  async #writeAll(handle: FileHandle, parts: Buffer[]): Promise<void> {
    let position = this.#position;
    for (let left = parts; left.length > 0; ) {
      const { bytesWritten } = await handle.writev(left, position);
      position += bytesWritten;
      left = after(left, bytesWritten);
    }
    this.#position = position;
  }
}

/** fsync of a file or a folder. */
async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What is left of `parts` behind their first `count` bytes. */
function after(parts: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = count;
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length;
    else {
      rest.push(part.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
