import { rename } from "node:fs/promises";
import { SluiceError } from "../../core/errors.ts";
import { BLOCK_BYTES } from "../../core/object.ts";
import type { State } from "../../state/state.ts";
import type { KeptBlob } from "../../state/store-check-calls.ts";
import { BlobHash } from "../blob-hash.ts";
import { openFailure, READ, readBlock, verifyBlock } from "../blob-reader.ts";
import type { WriterDeps } from "../blob-writer.ts";
import { closeFile, openFile, syncFile, writeFully } from "../disk-io.ts";

export interface MendDeps {
  readonly writer: WriterDeps;
  readonly state: Pick<State, "blobPage" | "replaceInline">;
}

/** Gives a damaged blob its bytes back from the first of these blobs that verifies, block by block against the checksums of both and as a whole
 *  against its MD5; gives the bytes of each block. Returns the blob they came from, or null when none has them.
 *
 *  The new bytes are a file of their own, durable before its name takes the place of the damaged one: readers have the old file or the new
 *  one, and a crash in between leaves the old one and a file that no row names.
 *  @throws SluiceError DISK_FULL */
export async function* mendBlob(
  deps: MendDeps,
  damaged: KeptBlob,
  sources: readonly KeptBlob[],
): AsyncGenerator<number, string | null> {
  for (const source of sources) {
    try {
      yield* replaceBytes(deps, damaged, source);
      return source.blobId;
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : null;
      if (code !== "DATA_CORRUPT" && code !== "OBJECT_UNKNOWN") throw deps.writer.space.translate(error);
    }
  }
  return null;
}

async function* replaceBytes(deps: MendDeps, damaged: KeptBlob, source: KeptBlob): AsyncGenerator<number> {
  if (damaged.blob.kind !== "inline") return yield* replaceFile(deps, damaged, source);
  const blocks: Uint8Array[] = [];
  for await (const block of rightBlocks(deps, damaged, source)) {
    blocks.push(block);
    yield block.length;
  }
  await deps.state.replaceInline(damaged.row, Buffer.concat(blocks));
}

async function* replaceFile(deps: MendDeps, damaged: KeptBlob, source: KeptBlob): AsyncGenerator<number> {
  const { folder, space, durability } = deps.writer;
  const blobId = folder.newFileId();
  const fd = await folder.create(blobId);
  try {
    for await (const block of rightBlocks(deps, damaged, source)) {
      await space.take(block.length);
      await writeFully(fd, [block]);
      yield block.length;
    }
    await durability.guard(syncFile(fd));
    await rename(folder.pathOf(blobId), folder.pathOf(damaged.blobId));
    await durability.syncBlob(fd, folder.folderOf(damaged.blobId));
  } finally {
    await closeFile(fd);
    await folder.remove(blobId);
  }
  // Its row may have gone meanwhile, and its file before this one took its place.
  const [row] = await deps.state.blobPage(damaged.row - 1, 1);
  if (row?.row !== damaged.row) await folder.remove(damaged.blobId);
}

/** @throws SluiceError DATA_CORRUPT when they are not the damaged blob's bytes, at the latest after the last block */
async function* rightBlocks(deps: MendDeps, damaged: KeptBlob, source: KeptBlob): AsyncGenerator<Uint8Array> {
  const hash = new BlobHash();
  let index = 0;
  for await (const block of blocksOf(deps, source)) {
    hash.update(verifyBlock(block, damaged, index));
    index += 1;
    yield block;
  }
  const { sizeBytes, md5 } = hash.facts(source.blobId);
  if (sizeBytes === damaged.sizeBytes && (damaged.md5 === "" || md5 === damaged.md5)) return;
  throw new SluiceError("DATA_CORRUPT", `Cannot mend blob ${damaged.blobId}: blob ${source.blobId} has other bytes`);
}

async function* blocksOf({ writer }: MendDeps, source: KeptBlob): AsyncGenerator<Uint8Array> {
  if (source.blob.kind === "inline") {
    yield verifyBlock(source.blob.bytes, source, 0);
    return;
  }
  const fd = await openFile(writer.folder.pathOf(source.blobId), READ).catch((error: unknown) => {
    throw openFailure(error);
  });
  try {
    for (let index = 0; index * BLOCK_BYTES < source.sizeBytes; index++) yield await readBlock(fd, source, index);
  } finally {
    await closeFile(fd);
  }
}
