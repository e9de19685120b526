import { createHash } from "node:crypto";
import type { BlobFacts } from "../core/object.ts";
import { BLOCK_BYTES } from "../core/object.ts";
import { Crc32c, crc32c } from "../lib/crc32c.ts";

/** Computes what is kept about a blob while its bytes pass: size, MD5, and CRC32C of every 1 MiB block. */
export class BlobHash {
  /** Bytes of the first block that belong to somebody else. */
  readonly #phase: number;
  readonly #md5 = createHash("md5");
  readonly #blocks: number[] = [];
  readonly #crc = new Crc32c();
  #size = 0;

  /** @param startsAt where in a file the bytes will lie (default 0): blocks are those of the file, so that the first piece may be short */
  constructor(startsAt = 0) {
    this.#phase = startsAt % BLOCK_BYTES;
  }

  get sizeBytes(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#md5.update(bytes);
    let at = 0;
    while (at < bytes.length) {
      const room = BLOCK_BYTES - this.#inBlock();
      const part = bytes.length - at <= room && at === 0 ? bytes : bytes.subarray(at, at + room);
      this.#crc.update(part);
      this.#size += part.length;
      at += part.length;
      if (this.#inBlock() === 0) this.#endBlock();
    }
  }

  #inBlock(): number {
    return (this.#phase + this.#size) % BLOCK_BYTES;
  }

  #endBlock(): void {
    this.#blocks.push(this.#crc.value);
    this.#crc.reset();
  }

  /** Ends the hash. */
  facts(blobId: string): BlobFacts {
    if (this.#size > 0 && this.#inBlock() !== 0) this.#endBlock();
    // An array buffer of its own: what crosses to another thread carries no pool with it.
    const blockCrc32c = new Uint8Array(this.#blocks.length * 4);
    const view = new DataView(blockCrc32c.buffer);
    for (const [index, value] of this.#blocks.entries()) view.setUint32(index * 4, value);
    return { blobId, sizeBytes: this.#size, md5: this.#md5.digest("hex"), blockCrc32c };
  }
}

/** True when `bytes` are block number `index` of an object with these checksums. */
export function blockMatches(bytes: Uint8Array, blockCrc32c: Uint8Array, index: number): boolean {
  if (blockCrc32c.length < index * 4 + 4) return false;
  return new DataView(blockCrc32c.buffer, blockCrc32c.byteOffset).getUint32(index * 4) === crc32c(bytes);
}
