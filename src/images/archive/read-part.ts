import type { FileHandle } from "node:fs/promises";
import { SluiceError } from "../../core/errors.ts";

const PIECE_BYTES = 256 * 1024;

/** Bytes of a file from a place on. @throws SluiceError IMAGE_INVALID when the file ends before */
export async function readPart(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, at + done);
    if (bytesRead === 0)
      throw new SluiceError("IMAGE_INVALID", "Cannot read the image's archive: it is shorter than it was");
    done += bytesRead;
  }
  return buffer;
}

/** The same in pieces. */
export async function* streamPart(file: FileHandle, at: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < bytes; done += PIECE_BYTES) {
    yield await readPart(file, at + done, Math.min(PIECE_BYTES, bytes - done));
  }
}
