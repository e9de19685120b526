import { BLOCK_BYTES } from "../core/object.ts";
import { type BlobSource, openFailure, READ, readBlockInto } from "./blob-reader.ts";
import { BlockPool } from "./block-pool.ts";
import { closeFile, openFile } from "./disk-io.ts";

/** Takes bytes that are good until its promise resolves. */
export type Write = (part: Uint8Array) => Promise<void>;

/** Shared by all readers. */
const pool = new BlockPool();

/** Passes `[start, endExclusive)` of a blob on, one verified block at a time, and reads the next one meanwhile: two blocks (2 MiB) are held.
 *  Their memory is used again, because new megabytes cost more than the bytes in them: the kernel clears them, the collector counts them. */
export async function pourBlob(
  path: string,
  source: BlobSource,
  start: number,
  endExclusive: number,
  write: Write,
): Promise<void> {
  const fd = await openFile(path, READ).catch((error: unknown) => {
    throw openFailure(error);
  });
  const memory: Buffer[] = [];
  let reading: Promise<Uint8Array> = Promise.resolve(new Uint8Array(0));
  const read = (index: number): void => {
    const block = memory[index % 2] ?? pool.take();
    memory[index % 2] = block;
    reading = readBlockInto(block, fd, source, index);
    // Its failure is met where it is awaited; until then it must not count as unhandled.
    reading.catch(() => undefined);
  };
  try {
    const first = Math.floor(start / BLOCK_BYTES);
    const behind = Math.ceil(endExclusive / BLOCK_BYTES);
    if (first < behind) read(first);
    for (let index = first; index < behind; index++) {
      const block = await reading;
      const from = index * BLOCK_BYTES;
      const written = write(block.subarray(Math.max(0, start - from), endExclusive - from));
      if (index + 1 < behind) read(index + 1);
      await written;
    }
    // Given back here alone: after a failure somebody may hold a block still.
    for (const block of memory) if (block !== undefined) pool.give(block);
  } finally {
    await reading.catch(() => undefined);
    await closeFile(fd);
  }
}
