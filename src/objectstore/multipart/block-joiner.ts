import { BLOCK_BYTES } from "../../core/object.ts";
import { combineCrc32c } from "../../s3/crc-combine.ts";

/** Makes the checksums of a file's blocks from those of the pieces that its parts are made of. A piece ends at the end of its block or of its
 *  part, so that a block is a few whole pieces. */
export class BlockJoiner {
  readonly #blocks: number[] = [];
  #crc = 0;
  #filled = 0;
  #size = 0;

  /** @param pieceCrc32c 4 bytes big-endian a piece, cut at the block borders of the file at the place where the part begins */
  add(pieceCrc32c: Uint8Array, sizeBytes: number): void {
    const view = new DataView(pieceCrc32c.buffer, pieceCrc32c.byteOffset, pieceCrc32c.byteLength);
    let left = sizeBytes;
    for (let index = 0; left > 0; index++) {
      const length = Math.min(left, BLOCK_BYTES - this.#filled);
      this.#addPiece(view.getUint32(index * 4), length);
      left -= length;
    }
  }

  #addPiece(crc: number, length: number): void {
    this.#crc = this.#filled === 0 ? crc : combineCrc32c(this.#crc, crc, length);
    this.#filled += length;
    this.#size += length;
    if (this.#filled === BLOCK_BYTES) this.#endBlock();
  }

  #endBlock(): void {
    this.#blocks.push(this.#crc);
    this.#crc = 0;
    this.#filled = 0;
  }

  get sizeBytes(): number {
    return this.#size;
  }

  /** Ends the file. */
  blockCrc32c(): Uint8Array {
    if (this.#filled > 0) this.#endBlock();
    const bytes = new Uint8Array(this.#blocks.length * 4);
    const view = new DataView(bytes.buffer);
    for (const [index, crc] of this.#blocks.entries()) view.setUint32(index * 4, crc);
    return bytes;
  }
}

/** The lengths of the pieces of a part that begins at `start` of its file. */
export function* pieceLengths(start: number, sizeBytes: number): Generator<number> {
  let at = start;
  const end = start + sizeBytes;
  while (at < end) {
    const length = Math.min(end - at, BLOCK_BYTES - (at % BLOCK_BYTES));
    yield length;
    at += length;
  }
}
