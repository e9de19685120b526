import { returnMemory } from "./body-memory.ts";

/** Bytes gathered before they are written in one call; also the most that a body may have to be stored without a file being open while it
 *  arrives. */
const GATHER_BYTES = 256 * 1024;

type Write = (pieces: readonly Uint8Array[], bytes: number) => Promise<void>;

/** Gathers small pieces into large writes, at most one of which is under way while the next bytes are gathered. Pieces on loan are returned
 *  once they are written. */
export class WriteBehind {
  readonly #write: Write;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | null = null;

  /** @param write called with what was gathered, in order, never twice at once */
  constructor(write: Write) {
    this.#write = write;
  }

  /** Returns a promise only when a write must be waited for. It rejects when that one failed. */
  add(bytes: Uint8Array): void | Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    return this.#pendingBytes < GATHER_BYTES ? undefined : this.flush();
  }

  /** Begins to write what is gathered, as soon as the write before it has ended. */
  async flush(): Promise<void> {
    const pieces = this.#pending;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#writing;
    if (bytes === 0) return;
    this.#writing = this.#write(pieces, bytes).then(() => pieces.forEach(returnMemory));
    // Its failure is met where it is awaited; until then it must not count as unhandled.
    this.#writing.catch(() => undefined);
  }

  /** Resolves when everything that came is written. */
  async end(): Promise<void> {
    await this.flush();
    await this.#writing;
  }

  /** Waits for the write under way, whatever becomes of it: its descriptor can be closed then. */
  async settle(): Promise<void> {
    await this.#writing?.catch(() => undefined);
  }

  /** Everything that came, when nothing of it was written. */
  pending(): Uint8Array {
    // A buffer of its own, because a view would carry its whole pool to another thread.
    const whole = new Uint8Array(this.#pendingBytes);
    let at = 0;
    for (const piece of this.#pending) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}
