import { BLOCK_BYTES } from "../core/object.ts";

/** Blocks kept for the next reader: 16 MiB. */
const KEPT = 16;

/** Memory for blocks, used again and again. */
export class BlockPool {
  readonly #free: Buffer[] = [];

  /** A block of 1 MiB with anything in it. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nobody may touch the block after this. */
  give(block: Buffer): void {
    if (this.#free.length < KEPT) this.#free.push(block);
  }
}
