import { constants } from "node:fs";
import { Readable } from "node:stream";
import { SluiceError } from "../core/errors.ts";
import { BLOCK_BYTES, type StoredObject } from "../core/object.ts";
import { blockMatches } from "./blob-hash.ts";
import { closeFile, openFile, readFully, systemCode } from "./disk-io.ts";

/** What reading needs to know of an object. */
export type BlobSource = Pick<StoredObject, "blob" | "blockCrc32c" | "sizeBytes">;

export const READ = constants.O_RDONLY | constants.O_NOFOLLOW;

/** Streams `[start, endExclusive)` of a blob, one verified block at a time. A reader that does not take its block holds that one (1 MiB) and
 *  no more: the next is read when it has been taken. */
export class BlobReadable extends Readable {
  readonly #path: string;
  readonly #source: BlobSource;
  readonly #end: number;
  #at: number;
  #fd: number | null = null;

  constructor(path: string, source: BlobSource, start: number, endExclusive: number) {
    super({ highWaterMark: 1 });
    this.#path = path;
    this.#source = source;
    this.#at = start;
    this.#end = endExclusive;
  }

  override _construct(callback: (error?: Error | null) => void): void {
    openFile(this.#path, READ).then(
      (fd) => {
        this.#fd = fd;
        callback();
      },
      (error: unknown) => callback(openFailure(error)),
    );
  }

  override _read(): void {
    if (this.#fd === null || this.#at >= this.#end) {
      this.push(null);
      return;
    }
    this.#nextPart(this.#fd).then(
      (part) => this.push(part),
      (error: Error) => this.destroy(error),
    );
  }

  async #nextPart(fd: number): Promise<Uint8Array> {
    const index = Math.floor(this.#at / BLOCK_BYTES);
    const block = await readBlock(fd, this.#source, index);
    const from = this.#at - index * BLOCK_BYTES;
    const part = block.subarray(from, Math.min(block.length, this.#end - index * BLOCK_BYTES));
    this.#at += part.length;
    return part;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const fd = this.#fd;
    this.#fd = null;
    if (fd === null) callback(error);
    else closeFile(fd).then(() => callback(error), callback);
  }
}

/** All bytes of a blob of at most one block. */
export async function readSmallBlob(path: string, source: BlobSource): Promise<Uint8Array> {
  const fd = await openFile(path, READ).catch((error: unknown) => {
    throw openFailure(error);
  });
  try {
    return source.sizeBytes === 0 ? new Uint8Array(0) : await readBlock(fd, source, 0);
  } finally {
    await closeFile(fd);
  }
}

/** Block `index`, verified. @throws SluiceError DATA_CORRUPT */
export function readBlock(fd: number, source: BlobSource, index: number): Promise<Uint8Array> {
  const bytes = Math.min(BLOCK_BYTES, source.sizeBytes - index * BLOCK_BYTES);
  return readBlockInto(Buffer.allocUnsafeSlow(bytes), fd, source, index);
}

/** The same into memory of the caller, which may be larger than the block. @throws SluiceError DATA_CORRUPT */
export async function readBlockInto(
  memory: Uint8Array,
  fd: number,
  source: BlobSource,
  index: number,
): Promise<Uint8Array> {
  const start = index * BLOCK_BYTES;
  const block = memory.subarray(0, Math.min(BLOCK_BYTES, source.sizeBytes - start));
  const count = await readFully(fd, block, start);
  return verifyBlock(block.subarray(0, count), source, index);
}

/** @throws SluiceError DATA_CORRUPT */
export function verifyBlock(block: Uint8Array, source: BlobSource, index: number): Uint8Array {
  const expected = Math.min(BLOCK_BYTES, source.sizeBytes - index * BLOCK_BYTES);
  if (block.length === expected && blockMatches(block, source.blockCrc32c, index)) return block;
  throw new SluiceError(
    "DATA_CORRUPT",
    `Cannot read the object: block ${index} of blob ${source.blob.blobId} does not match its checksum (restore it from a backup)`,
  );
}

/** A blob may be unlinked between the look at its row and the open: the row says what came instead. */
export function openFailure(error: unknown): Error {
  if (systemCode(error) === "ENOENT") {
    return new SluiceError("OBJECT_UNKNOWN", "Cannot read the object: its blob is gone", { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
