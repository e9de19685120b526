import { constants } from "node:fs";
import { SluiceError } from "../../core/errors.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { s3Error } from "../../s3/errors.ts";
import type { Part } from "../../state/object-calls.ts";
import { READ } from "../blob-reader.ts";
import { SYNC_EVERY_BYTES, type WriterDeps } from "../blob-writer.ts";
import type { BlobStore } from "../blobs.ts";
import {
  chmodFile,
  closeFile,
  openFile,
  readFully,
  statFile,
  syncFileData,
  truncateFile,
  writeFully,
} from "../disk-io.ts";
import { BodyHash } from "../hashing/body-hash.ts";
import { WriteBehind } from "../write-behind.ts";
import type { Assembly, Slot } from "./assembly.ts";
import { BlockJoiner, pieceLengths } from "./block-joiner.ts";
import type { PlacedPart } from "./layout.ts";
import type { StagedPart } from "./part-store.ts";

const WRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
/** The server's alone until the object is complete. */
const UNFINISHED_MODE = 0o600;

/** Streams a part to its place in the assembly; bytes and name are durable when it resolves. */
export async function writeInPlace(
  deps: WriterDeps,
  assembly: Assembly,
  slot: Slot,
  source: AsyncIterable<Uint8Array>,
): Promise<Omit<StagedPart, "place">> {
  const fd = await openFile(deps.folder.pathOf(slot.blobId), WRITE, UNFINISHED_MODE);
  try {
    const facts = await writeAt(deps, fd, slot, checked(source, slot.sizeBytes), (run) => assembly.run(run));
    await sync(deps, assembly, slot.blobId, fd);
    return facts;
  } finally {
    await closeFile(fd);
  }
}

/** The folder's entry is durable already once a row names the file. */
function sync(deps: WriterDeps, assembly: Assembly, blobId: string, fd: number): Promise<void> {
  return assembly.unnamed === null
    ? deps.durability.guard(syncFileData(fd))
    : deps.durability.syncBlob(fd, deps.folder.folderOf(blobId));
}

/** A part that is not of the size it was announced with would lie on its neighbour. */
async function* checked(source: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of source) {
    size += piece.length;
    if (size > sizeBytes) break;
    yield piece;
  }
  if (size !== sizeBytes)
    throw s3Error("IncompleteBody", "Cannot store the part: it is not of the length that was announced");
}

async function writeAt(
  deps: WriterDeps,
  fd: number,
  { start, sizeBytes: announcedBytes }: Pick<Slot, "start" | "sizeBytes">,
  source: AsyncIterable<Uint8Array>,
  run: (write: () => Promise<void>) => Promise<void>,
): Promise<Omit<StagedPart, "place">> {
  const hash = new BodyHash(deps.hashing, announcedBytes, start);
  let at = start;
  let unsynced = 0;
  const write = async (pieces: readonly Uint8Array[], bytes: number): Promise<void> => {
    await deps.space.take(bytes);
    await writeFully(fd, pieces, at);
    await hash.written(pieces);
    at += bytes;
    unsynced += bytes;
    if (unsynced < SYNC_EVERY_BYTES) return;
    unsynced = 0;
    await deps.durability.guard(syncFileData(fd));
  };
  const behind = new WriteBehind((pieces, bytes) => run(() => write(pieces, bytes)));
  try {
    for await (const piece of source) {
      hash.arrived(piece);
      const wait = behind.add(piece);
      if (wait !== undefined) await wait;
    }
    await behind.end();
  } catch (error) {
    await behind.settle();
    hash.drop();
    throw deps.space.translate(error);
  }
  const { sizeBytes, md5, blockCrc32c } = await hash.facts("");
  return { sizeBytes, md5, pieceCrc32c: blockCrc32c };
}

/** The bytes of a part, verified. @throws SluiceError DATA_CORRUPT */
export async function* readPart(
  deps: WriterDeps,
  blobs: Pick<BlobStore, "read">,
  file: Assembly["file"],
  part: Part,
): AsyncGenerator<Uint8Array> {
  if (part.blob !== null) {
    yield* blobs.read({ blob: part.blob, blockCrc32c: part.pieceCrc32c, sizeBytes: part.sizeBytes }, 0, part.sizeBytes);
    return;
  }
  if (file === null) throw new Error(`part ${part.number} lies in no file`);
  const fd = await openFile(deps.folder.pathOf(file.blobId), READ);
  try {
    yield* readPieces(fd, (part.number - 1) * file.partBytes, part);
  } finally {
    await closeFile(fd);
  }
}

async function* readPieces(fd: number, start: number, part: Part): AsyncGenerator<Uint8Array> {
  const crcs = new DataView(part.pieceCrc32c.buffer, part.pieceCrc32c.byteOffset, part.pieceCrc32c.byteLength);
  let at = start;
  let index = 0;
  for (const length of pieceLengths(start, part.sizeBytes)) {
    const piece = Buffer.allocUnsafeSlow(length);
    const count = await readFully(fd, piece, at);
    if (count !== length || crc32c(piece) !== crcs.getUint32(index * 4)) {
      throw new SluiceError(
        "DATA_CORRUPT",
        `Cannot read part ${part.number}: its bytes do not match their checksum (send it again)`,
      );
    }
    yield piece;
    at += length;
    index += 1;
  }
}

/** Makes the assembly the object's file: copies the parts that lie elsewhere to their places, cuts off what failed writes left behind the end,
 *  gives it a blob's mode and makes all durable. Bytes of parts that have rows are not touched, so that the upload can go on when
 *  `commit` fails.
 *  @param commit given the checksums of the file's blocks */
export async function joinInPlace<T>(
  deps: WriterDeps,
  blobs: Pick<BlobStore, "read">,
  blobId: string,
  { placed, sizeBytes }: { readonly placed: readonly PlacedPart[]; readonly sizeBytes: number },
  commit: (blockCrc32c: Uint8Array) => Promise<T>,
): Promise<T> {
  const fd = await openFile(deps.folder.pathOf(blobId), constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const joiner = new BlockJoiner();
    for (const { part, start } of placed) joiner.add(await piecesInPlace(deps, blobs, fd, part, start), part.sizeBytes);
    if ((await statFile(fd)).size !== sizeBytes) await truncateFile(fd, sizeBytes);
    await deps.folder.protect(fd);
    await deps.durability.syncBlob(fd, deps.folder.folderOf(blobId));
    return await commit(joiner.blockCrc32c());
  } catch (error) {
    await chmodFile(fd, UNFINISHED_MODE);
    throw deps.space.translate(error);
  } finally {
    await closeFile(fd);
  }
}

async function piecesInPlace(
  deps: WriterDeps,
  blobs: Pick<BlobStore, "read">,
  fd: number,
  part: Part,
  start: number,
): Promise<Uint8Array> {
  if (part.blob === null) return part.pieceCrc32c;
  const copied = await writeAt(
    deps,
    fd,
    { start, sizeBytes: part.sizeBytes },
    readPart(deps, blobs, null, part),
    (write) => write(),
  );
  return copied.pieceCrc32c;
}
