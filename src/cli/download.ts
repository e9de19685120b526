import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { SluiceError } from "../core/errors.ts";
import { makeFolders } from "../lib/make-folders.ts";
import { partialName } from "./local-path.ts";
import { patiently } from "./transfers.ts";

/** One object to save. */
export interface Download {
  readonly bucket: string;
  readonly key: string;
  /** Where it goes: an absolute path. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly etag: string;
}

/** Where objects come from. */
export interface DownloadSource {
  /** Opens an object's bytes from an offset, provided that it is still the version of this ETag. */
  readonly open: (download: Download, from: number) => Promise<AsyncIterable<Uint8Array>>;
  /** The CRC32 of all bytes, base64; null where the store keeps none. Asked for when the ETag says nothing about the bytes. */
  readonly crc32: (download: Download) => Promise<string | null>;
}

/** Saves an object. It grows in a hidden file beside its place and gets its name when size and checksum are right, so a file of that name is
 *  always whole. A download that was cut goes on where it ended, in this run and in the next.
 *  @throws SluiceError CHECKSUM_MISMATCH, PRECONDITION_FAILED when the object changed meanwhile, and what `source` throws */
export async function saveObject(
  download: Download,
  source: DownloadSource,
  onBytes: (count: number) => void,
  wait?: (ms: number) => Promise<unknown>,
): Promise<void> {
  await refuseSpecial(download.path);
  const partial = join(dirname(download.path), partialName(download.bucket, download.key, download.etag));
  await patiently(() => grow(download, partial, source, onBytes), wait);
  await rename(partial, download.path);
}

/** A device or pipe would be replaced by a file, for every program of the machine. */
async function refuseSpecial(path: string): Promise<void> {
  const facts = await lstat(path).catch(() => null);
  if (facts === null || facts.isFile() || facts.isSymbolicLink()) return;
  const state = facts.isDirectory() ? "it is a folder" : "it is a device, pipe or socket";
  throw new SluiceError("USAGE", `Cannot save into "${path}": ${state} (choose the name of a file)`);
}

async function grow(
  download: Download,
  partial: string,
  source: DownloadSource,
  onBytes: (count: number) => void,
): Promise<void> {
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o666);
  try {
    const hash = new DownloadHash();
    let size = await hashKept(file, download.sizeBytes, hash);
    onBytes(size);
    if (size < download.sizeBytes) {
      try {
        for await (const chunk of await source.open(download, size)) {
          await file.write(chunk, 0, chunk.length, size);
          hash.update(chunk);
          size += chunk.length;
          onBytes(chunk.length);
        }
      } catch (error) {
        onBytes(-size);
        throw error;
      }
    }
    await verify(download, size, hash, { partial, source });
  } finally {
    await file.close();
  }
}

/** Hashes what an earlier try left; more than the object has cannot belong to it and is dropped. */
async function hashKept(file: FileHandle, limit: number, hash: DownloadHash): Promise<number> {
  const { size } = await file.stat();
  if (size > limit) {
    await file.truncate(0);
    return 0;
  }
  let read = 0;
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) {
    hash.update(chunk);
    read += chunk.length;
  }
  return read;
}

async function verify(
  download: Download,
  size: number,
  hash: DownloadHash,
  { partial, source }: { readonly partial: string; readonly source: DownloadSource },
): Promise<void> {
  const { key, etag, sizeBytes } = download;
  if (size < sizeBytes) {
    throw new SluiceError(
      "BODY_TRUNCATED",
      `Cannot save "${key}": ${size} of ${sizeBytes} bytes arrived (run it again to go on)`,
    );
  }
  if (size === sizeBytes && (await hash.matches(etag, () => source.crc32(download)))) return;
  await rm(partial, { force: true });
  throw new SluiceError(
    "CHECKSUM_MISMATCH",
    `Cannot save "${key}": the bytes that arrived do not match its checksum (run it again)`,
  );
}

/** Both checksums that a store may have of an object. */
class DownloadHash {
  readonly #md5: Hash = createHash("md5");
  #crc32 = 0;

  update(bytes: Uint8Array): void {
    this.#md5.update(bytes);
    this.#crc32 = crc32(bytes, this.#crc32);
  }

  /** An ETag of 32 hex digits is the MD5; any other form says nothing about the bytes, and their CRC32 is asked for. Without one the size must do. */
  async matches(etag: string, askCrc32: () => Promise<string | null>): Promise<boolean> {
    if (/^[0-9a-f]{32}$/.test(etag)) return this.#md5.digest("hex") === etag;
    const expected = await askCrc32();
    const actual = Buffer.allocUnsafe(4);
    actual.writeUInt32BE(this.#crc32);
    return expected === null || expected === actual.toString("base64");
  }
}

/** Makes folders below a target without leaving it: an existing symbolic link on the way is refused. */
export class FolderMaker {
  readonly #root: string;
  readonly #made = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder of a relative path. @throws SluiceError FORBIDDEN, USAGE when a file is in the way */
  async makeFor(relativePath: string): Promise<void> {
    await this.make(dirname(relativePath));
  }

  async make(relative: string): Promise<void> {
    makeFolders(this.#root, 0o777);
    let path = this.#root;
    for (const segment of relative.split("/").filter((each) => each !== "" && each !== ".")) {
      path = join(path, segment);
      if (!this.#made.has(path)) await makeOne(path);
      this.#made.add(path);
    }
  }
}

async function makeOne(path: string): Promise<void> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const facts = await lstat(path);
  if (facts.isDirectory()) return;
  const state = facts.isSymbolicLink() ? "it is a symbolic link" : "a file is in the way";
  throw new SluiceError("FORBIDDEN", `Cannot save into "${path}": ${state} (remove it, or choose another target)`);
}
