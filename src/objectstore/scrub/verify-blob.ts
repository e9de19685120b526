import { SluiceError } from "../../core/errors.ts";
import { BLOCK_BYTES } from "../../core/object.ts";
import type { BlobDamage, KeptBlob } from "../../state/store-check-calls.ts";
import { verifyInline } from "../blob-check.ts";
import type { BlobFolder } from "../blob-folder.ts";
import { READ, readBlockInto } from "../blob-reader.ts";
import { closeFile, openFile, setFileTimes, statFile, systemCode } from "../disk-io.ts";

/** Why a blob is not what its row says. */
export interface Verdict {
  readonly damage: BlobDamage;
  readonly detail: string;
}

const READ_ONLY_DISK: ReadonlySet<string> = new Set(["EROFS", "EPERM", "EACCES", "EIO"]);

/** Reads a blob through, a block at a time, giving the bytes of each; returns null when all is well. What `materialise` believes of the file is
 *  set right: verified now, or to be verified at the next use. */
export async function* verifyBlob(
  folder: BlobFolder,
  kept: KeptBlob,
  now: number,
): AsyncGenerator<number, Verdict | null> {
  const { blob } = kept;
  if (blob.kind === "remote") return null;
  if (blob.kind === "inline") {
    yield blob.bytes.length;
    return inlineVerdict(kept, blob.bytes);
  }
  let fd: number;
  try {
    fd = await openFile(folder.pathOf(kept.blobId), READ);
  } catch (error) {
    return failureOf(error);
  }
  try {
    const verdict = yield* fileVerdict(fd, kept);
    if (kept.sizeBytes > 0) await believe(fd, verdict === null ? now : 0);
    return verdict;
  } finally {
    await closeFile(fd);
  }
}

function inlineVerdict(kept: KeptBlob, bytes: Uint8Array): Verdict | null {
  if (bytes.length !== kept.sizeBytes) return wrongSize(bytes.length, kept.sizeBytes);
  try {
    verifyInline(bytes, kept);
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

async function* fileVerdict(fd: number, kept: KeptBlob): AsyncGenerator<number, Verdict | null> {
  const memory = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(1, kept.sizeBytes)));
  try {
    const stats = await statFile(fd);
    if (!stats.isFile()) return { damage: "unreadable", detail: "it is no regular file" };
    // The file of an upload in parts: what it will hold is not known before the upload is complete.
    if (kept.sizeBytes === 0) return null;
    if (stats.size !== kept.sizeBytes) return wrongSize(stats.size, kept.sizeBytes);
    for (let index = 0; index * BLOCK_BYTES < kept.sizeBytes; index++) {
      yield (await readBlockInto(memory, fd, kept, index)).length;
    }
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

const wrongSize = (found: number, expected: number): Verdict => ({
  damage: "size",
  detail: `it has ${found} bytes, not ${expected}`,
});

function failureOf(error: unknown): Verdict {
  if (error instanceof SluiceError) {
    const block = /block \d+/.exec(error.message)?.[0] ?? "a block";
    return { damage: "bytes", detail: `${block} does not match its checksum` };
  }
  const code = systemCode(error);
  if (code === undefined) throw error;
  if (code === "ENOENT") return { damage: "missing", detail: "its file is gone" };
  return { damage: "unreadable", detail: `its file cannot be read (${code})` };
}

/** A disk that takes no times makes no difference but that the bytes are verified more often. */
async function believe(fd: number, at: number): Promise<void> {
  try {
    await setFileTimes(fd, at / 1000, at / 1000);
  } catch (error) {
    if (!READ_ONLY_DISK.has(systemCode(error) ?? "")) throw error;
  }
}
