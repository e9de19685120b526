import { BLOCK_BYTES } from "../core/object.ts";
import { type BlobSource, openFailure, READ, readBlock, verifyBlock } from "./blob-reader.ts";
import { closeFile, openFile, setFileTimes, statFile } from "./disk-io.ts";

/** How long bytes are believed without being read again: disks rot slowly, and a popular input must not be read twice for each job. */
const BELIEVED_MS = 24 * 3_600_000;
/** A time further ahead than this is no time of a check: a script may have set it. */
const CLOCK_SLACK_MS = 60_000;

/** Verifies a blob's file block by block, unless it was written or verified in the last 24 h. Its modification time says when that was: nobody
 *  writes to a blob, so the time is free for it, and it outlives restarts.
 *  @throws SluiceError DATA_CORRUPT, OBJECT_UNKNOWN when the file is gone */
export async function checkUnlessRecent(path: string, object: BlobSource, now: number): Promise<void> {
  const fd = await openFile(path, READ).catch((error: unknown) => {
    throw openFailure(error);
  });
  try {
    const { mtimeMs } = await statFile(fd);
    if (mtimeMs > now - BELIEVED_MS && mtimeMs < now + CLOCK_SLACK_MS) return;
    for (let index = 0; index * BLOCK_BYTES < object.sizeBytes; index++) await readBlock(fd, object, index);
    await setFileTimes(fd, now / 1000, now / 1000);
  } finally {
    await closeFile(fd);
  }
}

/** All bytes of a blob that lies in its row: at most one block, and cheap enough to be verified each time. @throws SluiceError DATA_CORRUPT */
export function verifyInline(bytes: Uint8Array, object: BlobSource): Uint8Array {
  return bytes.length === 0 && object.sizeBytes === 0 ? bytes : verifyBlock(bytes, object, 0);
}
