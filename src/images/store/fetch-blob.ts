import { type FileHandle, open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { isSluiceError, SluiceError } from "../../core/errors.ts";
import { backoffMs } from "../../lib/backoff.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import type { Descriptor, ImageSource } from "../image.ts";

/** Failures in a row without one new byte between them. */
const MAX_FAILURES = 5;
/** In all: a connection that dies after every byte ends some day. */
const MAX_RESUMES = 100;

export interface FetchOptions {
  readonly source: ImageSource;
  readonly blob: Descriptor;
  /** A file that does not exist. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** Told how many bytes have come since it was told last. */
  readonly onBytes: (bytes: number) => void;
}

/** Downloads a blob into a file, going on where it was when the stream breaks off. The bytes are not verified yet, only counted.
 *  @throws SluiceError what the source throws, when trying again does not help or did not; IMAGE_INVALID when there are more bytes than the
 *  descriptor says; the signal's reason; errors of the file system */
export async function fetchBlob({ source, blob, path, signal, onBytes }: FetchOptions): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    let done = 0;
    let failures = 0;
    for (let resumes = 0; done < blob.sizeBytes; resumes++) {
      const before = done;
      try {
        for await (const piece of source.blob(blob, done, signal)) {
          done += piece.length;
          if (done > blob.sizeBytes) throw tooLong(blob);
          await writeAll(file, piece);
          onBytes(piece.length);
          crashPoint("image.download");
          signal.throwIfAborted();
        }
        if (done < blob.sizeBytes) throw cutOff(blob, done);
      } catch (error) {
        failures = done > before ? 1 : failures + 1;
        if (signal.aborted || !isWorthAnotherTry(error) || failures > MAX_FAILURES || resumes >= MAX_RESUMES)
          throw error;
        await setTimeout(backoffMs(failures), undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  } finally {
    await file.close();
  }
}

/** Errors of connections have codes of the system and of Node; those of our own disk are not the source's. */
function isWorthAnotherTry(error: unknown): boolean {
  if (isSluiceError(error)) return error.retryable;
  return !(
    error instanceof Error &&
    "syscall" in error &&
    error.syscall === "write" &&
    "code" in error &&
    isOfDisk(error.code)
  );
}

const isOfDisk = (code: unknown): boolean => ["ENOSPC", "EDQUOT", "EIO", "EFBIG", "EROFS"].includes(String(code));

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
}

function tooLong({ digest, sizeBytes }: Descriptor): SluiceError {
  return new SluiceError(
    "IMAGE_INVALID",
    `Cannot pull the image: its blob ${digest} has more than the ${sizeBytes} bytes that the manifest says`,
  );
}

function cutOff({ digest, sizeBytes }: Descriptor, done: number): SluiceError {
  return new SluiceError(
    "REGISTRY_UNREACHABLE",
    `Cannot pull the image: its blob ${digest} ended after ${done} of ${sizeBytes} bytes (try again)`,
  );
}
