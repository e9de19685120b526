import { randomUUID } from "node:crypto";
import { constants, createReadStream, createWriteStream, existsSync, realpathSync } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { SluiceError } from "../../core/errors.ts";
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
}

/** An image that lies on this machine: an archive of `docker save` or of an OCI layout, gzip and zstd too, or an OCI layout's folder.
 *  @param name `PATH` or `PATH:TAG`
 *  @throws SluiceError IMAGE_DENIED for a path outside of the folders; IMAGE_UNKNOWN when it is not there; IMAGE_INVALID when it is no image */
export async function openImageFile(name: string, options: ImageFileOptions): Promise<ImageSource> {
  const { path, tag } = split(name);
  const image = `file:${name}`;
  const real = realPath(path, image, options.folders);
  const files = await openFiles(real, image, options);
  try {
    if (isOciLayout(files)) return ociLayoutSource(files, image, tag);
    if (files.has("manifest.json")) return dockerArchiveSource(files, image, tag);
  } catch (error) {
    await files.close();
    throw error;
  }
  await files.close();
  throw new SluiceError(
    "IMAGE_INVALID",
    `Cannot use "${image}": it is neither an archive of docker save nor an OCI layout`,
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
    const compression = stats.size < 4 ? null : compressionOf(await readPart(file, 0, 4));
    if (compression === null) return await tarFiles(file);
    return await unpacked(file, compression, image, options);
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}

type Compression = "gzip" | "zstd";

function compressionOf(start: Buffer): Compression | null {
  if (start.readUInt16BE(0) === 0x1f8b) return "gzip";
  return start.readUInt32LE(0) === 0xfd2fb528 ? "zstd" : null;
}

/** Files of a compressed archive are found by seeking, so it is unpacked once, into a file without a name. */
async function unpacked(
  file: FileHandle,
  compression: Compression,
  image: string,
  { scratch, maxBytes }: ImageFileOptions,
): Promise<FileSet> {
  const path = `${scratch}/${randomUUID()}.tar`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    let bytes = 0;
    const bound = new Transform({
      transform(piece: Buffer, _encoding, done) {
        bytes += piece.length;
        if (bytes <= maxBytes) done(null, piece);
        else
          done(new SluiceError("IMAGE_INVALID", `Cannot use "${image}": unpacked it has more than ${maxBytes} bytes`));
      },
    });
    const decompress = compression === "gzip" ? createGunzip() : createZstdDecompress();
    await pipeline(
      createReadStream("", { fd: file, start: 0, autoClose: false }),
      decompress,
      bound,
      createWriteStream(path, { flags: "wx", mode: 0o600 }),
    );
    await file.close();
    return await tarFiles(await open(path, "r"));
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const isFull = error instanceof Error && "code" in error && error.code === "ENOSPC";
    throw new SluiceError(isFull ? "DISK_FULL" : "IMAGE_INVALID", `Cannot unpack "${image}": ${String(error)}`, {
      cause: error,
    });
  } finally {
    await rm(path, { force: true });
  }
}
