import { randomUUID } from "node:crypto";
import { constants, createReadStream, createWriteStream, existsSync, realpathSync } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { pipeline } from "node:stream/promises";
import { isSluiceError, SluiceError } from "../../core/errors.ts";
import { decompress, isCompressed } from "../decompress.ts";
import type { ImageSource } from "../image.ts";
import { dockerArchiveSource } from "./docker-archive.ts";
import type { FileSet } from "./file-set.ts";
import { folderFiles } from "./folder-files.ts";
import { isOciLayout, ociLayoutSource } from "./oci-layout.ts";
import { readPart } from "./read-part.ts";
import { tarFiles } from "./tar-files.ts";

export interface ImageFileOptions {
  /** Absolute folders that files may be taken from; null for any. */
  readonly folders: readonly string[] | null;
  /** Where a compressed archive is unpacked for as long as it is read. */
  readonly scratch: string;
  /** Of a compressed archive, unpacked. */
  readonly maxBytes: number;
  /** What the disk has for it there. */
  readonly freeBytes: () => Promise<number>;
  readonly signal: AbortSignal;
}

/** An image that lies on this machine: an archive of `docker save` or of an OCI layout, gzip and zstd too, or an OCI layout's folder.
 *  @param name `PATH` or `PATH:TAG`
 *  @throws SluiceError IMAGE_DENIED for a path outside of the folders; IMAGE_UNKNOWN when it is not there; IMAGE_INVALID when it is no image */
export async function openImageFile(name: string, options: ImageFileOptions): Promise<ImageSource> {
  const { path, tag } = split(name);
  const image = `file:${name}`;
  const real = realPath(path, image, options.folders);
  const files = await openFiles(real, image, options).catch((error: unknown) => {
    throw isSluiceError(error, "IMAGE_INVALID") ? noImage(image, error.message.replace(/^Cannot [^:]*: /, "")) : error;
  });
  try {
    if (isOciLayout(files)) return ociLayoutSource(files, image, tag);
    if (files.has("manifest.json")) return dockerArchiveSource(files, image, tag);
  } catch (error) {
    await files.close();
    throw error;
  }
  await files.close();
  throw noImage(image, "it holds no image");
}

function noImage(image: string, why: string): SluiceError {
  return new SluiceError(
    "IMAGE_INVALID",
    `Cannot use "${image}": it is neither an archive of docker save nor an OCI layout (${why})`,
  );
}

/** A colon behind the last slash begins a tag, unless there is a file of the whole name. */
function split(name: string): { path: string; tag: string | null } {
  const colon = name.lastIndexOf(":");
  if (colon < 0 || name.indexOf("/", colon) >= 0 || existsSync(name)) return { path: name, tag: null };
  return { path: name.slice(0, colon), tag: name.slice(colon + 1) };
}

/** Every link resolved, so that the folders hold whatever the path looks like. What is outside of them answers the same as what is not there. */
function realPath(path: string, image: string, folders: readonly string[] | null): string {
  const denied = (): SluiceError =>
    new SluiceError(
      "IMAGE_DENIED",
      `Cannot use "${image}": this server takes images from ${folders?.join(", ") || "no folder"} (images.folders)`,
    );
  if (!isAbsolute(path))
    throw new SluiceError("IMAGE_UNSUPPORTED", `Cannot use "${image}": write the whole path, from / on`);
  let real: string;
  try {
    real = realpathSync(path);
  } catch (error) {
    if (folders !== null) throw denied();
    throw new SluiceError("IMAGE_UNKNOWN", `Cannot find "${image}" on the server's machine`, { cause: error });
  }
  const allowed = folders === null || folders.some((folder) => real.startsWith(`${realOrSame(folder)}/`));
  if (!allowed) throw denied();
  return real;
}

function realOrSame(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

async function openFiles(path: string, image: string, options: ImageFileOptions): Promise<FileSet> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) {
      await file.close();
      return folderFiles(path);
    }
    if (!stats.isFile()) throw new SluiceError("IMAGE_INVALID", `Cannot use "${image}": it is no file`);
    if (stats.size < 4 || !isCompressed(await readPart(file, 0, 4))) return await tarFiles(file);
    return await unpacked(file, image, options);
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}

/** Files of a compressed archive are found by seeking, so it is unpacked once, into a file without a name. */
async function unpacked(file: FileHandle, image: string, options: ImageFileOptions): Promise<FileSet> {
  const { scratch, signal } = options;
  const path = `${scratch}/${randomUUID()}.tar`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const freeBytes = await options.freeBytes();
  async function* bounded(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    const pieces = createReadStream("", { fd: file, start: 0, autoClose: false });
    for await (const piece of decompress(pieces, ARCHIVE_TYPE)) {
      bytes += piece.length;
      if (bytes > options.maxBytes) throw tooLarge(image, options.maxBytes);
      if (bytes > freeBytes) throw noRoom(image);
      yield piece;
    }
  }
  try {
    await pipeline(bounded, createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal });
    await file.close();
    return await tarFiles(await open(path, "r"));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SluiceError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : "";
    throw code === "ENOSPC" || code === "EDQUOT"
      ? noRoom(image, error)
      : new SluiceError("IMAGE_INVALID", `Cannot unpack "${image}": ${String(error)}`, { cause: error });
  } finally {
    await rm(path, { force: true });
  }
}

/** What is in it decides; this says no more than that it is an archive. */
const ARCHIVE_TYPE = "application/vnd.oci.image.layer.v1.tar";

function tooLarge(image: string, maxBytes: number): SluiceError {
  return new SluiceError("IMAGE_INVALID", `Cannot use "${image}": unpacked it has more than ${maxBytes} bytes`);
}

function noRoom(image: string, cause?: unknown): SluiceError {
  return new SluiceError(
    "DISK_FULL",
    `Cannot unpack "${image}": the file system of the images has no room for it (remove images, or give it more room)`,
    { cause },
  );
}
