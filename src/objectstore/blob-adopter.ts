import fs, { constants } from "node:fs";
import { rename } from "node:fs/promises";
import { promisify } from "node:util";
import { SluiceError } from "../core/errors.ts";
import { BLOCK_BYTES, type StagedBlob } from "../core/object.ts";
import { BlobHash } from "./blob-hash.ts";
import type { WriterDeps } from "./blob-writer.ts";
import { chmodFile, closeFile, openFile, readFully, systemCode } from "./disk-io.ts";

const OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const SETUID_SETGID_STICKY = 0o7000;

const copyFile: (from: string, to: string, mode: number) => Promise<void> = promisify(fs.copyFile);

/** Makes a file a blob.
 *
 *  move: the name is moved first, then owner and mode are taken, then the bytes are hashed and synced through one descriptor, so that what
 *  was hashed is what is kept. A file with a second name is copied instead: the other name would still lead to it. So is one on another file system.
 *  copy: the source stays as it is (its setuid bits are dropped first, so that no copy ever has them).
 *
 *  A small file is read in the same turn: it was written a moment ago, and each trip to the thread pool costs more than reading it. */
export async function adoptFile(deps: WriterDeps, path: string, how: "move" | "copy"): Promise<StagedBlob> {
  const source = openOutput(path);
  try {
    const stats = fs.fstatSync(source);
    if (!stats.isFile()) throw outputInvalid(path, "is not a regular file");
    if (stats.size <= deps.inlineBytes) return inlineBlob(deps, source, stats.size);
    const moved = how === "move" && stats.nlink === 1 ? await moveIn(deps, path, source) : null;
    return moved ?? (await copyIn(deps, source, stats));
  } finally {
    fs.closeSync(source);
  }
}

function inlineBlob(deps: WriterDeps, fd: number, size: number): StagedBlob {
  const bytes = new Uint8Array(size);
  let count = 0;
  for (let got = -1; got !== 0 && count < size; count += got) got = fs.readSync(fd, bytes, count, size - count, count);
  const inline = count === size ? bytes : bytes.slice(0, count);
  const hash = new BlobHash();
  hash.update(inline);
  return { ...hash.facts(deps.folder.newId()), inline };
}

/** Null where the blobs lie on another file system. */
async function moveIn(deps: WriterDeps, path: string, fd: number): Promise<StagedBlob | null> {
  const blobId = deps.folder.newFileId();
  try {
    await rename(path, deps.folder.pathOf(blobId));
  } catch (error) {
    if (systemCode(error) === "EXDEV") return null;
    throw error;
  }
  try {
    return await secure(deps, blobId, fd);
  } catch (error) {
    await deps.folder.remove(blobId);
    throw error;
  }
}

/** The copy is made from the descriptor, which no rename can turn into another file; blocks are shared where the file system can. */
async function copyIn(deps: WriterDeps, source: number, stats: fs.Stats): Promise<StagedBlob> {
  await deps.space.take(stats.size);
  if ((stats.mode & SETUID_SETGID_STICKY) !== 0) await chmodFile(source, stats.mode & 0o777);
  const blobId = deps.folder.newFileId();
  try {
    await copyFile(
      `/proc/self/fd/${source}`,
      deps.folder.pathOf(blobId),
      constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
    );
    const fd = await openFile(deps.folder.pathOf(blobId), OPEN);
    try {
      return await secure(deps, blobId, fd);
    } finally {
      await closeFile(fd);
    }
  } catch (error) {
    await deps.folder.remove(blobId);
    throw error;
  }
}

async function secure(deps: WriterDeps, blobId: string, fd: number): Promise<StagedBlob> {
  await deps.folder.protect(fd);
  const hash = new BlobHash();
  const piece = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  for (;;) {
    const count = await readFully(fd, piece, hash.sizeBytes);
    if (count > 0) hash.update(piece.subarray(0, count));
    if (count < piece.length) break;
  }
  await deps.durability.syncBlob(fd, deps.folder.folderOf(blobId));
  return { ...hash.facts(blobId), inline: null };
}

/** Links, sockets and files without the right to read are the maker's mistake, not a defect here. */
function openOutput(path: string): number {
  try {
    return fs.openSync(path, OPEN);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ELOOP" || code === "ENXIO") throw outputInvalid(path, "is not a regular file");
    if (code === "EACCES") throw outputInvalid(path, "cannot be read");
    throw error;
  }
}

function outputInvalid(path: string, state: string): SluiceError {
  return new SluiceError("OUTPUT_INVALID", `Cannot keep "${path}": it ${state}`);
}
