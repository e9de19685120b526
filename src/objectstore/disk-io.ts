import fs from "node:fs";
import { promisify } from "node:util";

/** File calls on plain descriptors: a descriptor costs no object that the collector must close, unlike a FileHandle. */
export const openFile: (path: string, flags: number, mode?: number) => Promise<number> = promisify(fs.open);
export const closeFile: (fd: number) => Promise<void> = promisify(fs.close);
export const syncFile: (fd: number) => Promise<void> = promisify(fs.fsync);
export const syncFileData: (fd: number) => Promise<void> = promisify(fs.fdatasync);
export const statFile: (fd: number) => Promise<fs.Stats> = promisify(fs.fstat);
export const chownFile: (fd: number, uid: number, gid: number) => Promise<void> = promisify(fs.fchown);
/** Times in seconds. */
export const setFileTimes: (fd: number, accessed: number, modified: number) => Promise<void> = promisify(fs.futimes);
export const truncateFile: (fd: number, bytes: number) => Promise<void> = promisify(fs.ftruncate);
export const chmodFile: (fd: number, mode: number) => Promise<void> = promisify(fs.fchmod);

/** Reads until `buffer` is full or the file ends; returns the count. */
export async function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let got = 0;
  while (got < buffer.length) {
    const count = await readOnce(fd, buffer, got, position + got);
    if (count === 0) break;
    got += count;
  }
  return got;
}

function readOnce(fd: number, buffer: Uint8Array, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, buffer.length - offset, position, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

/** Writes all pieces in order: at `position`, or where the descriptor stands (null, the default). The kernel may take fewer bytes than offered
 *  (a signal, a nearly full disk): the rest is offered again. */
export async function writeFully(
  fd: number,
  pieces: readonly Uint8Array[],
  position: number | null = null,
): Promise<void> {
  let rest = pieces.filter((piece) => piece.length > 0);
  let at = position;
  while (rest.length > 0) {
    const written = await writeOnce(fd, rest, at);
    rest = dropWritten(rest, written);
    if (at !== null) at += written;
  }
}

function writeOnce(fd: number, pieces: readonly Uint8Array[], position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, count: number): void => {
      if (error) reject(error);
      else resolve(count);
    };
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1) fs.write(fd, only, 0, only.length, position, done);
    else fs.writev(fd, [...pieces], position, done);
  });
}

function dropWritten(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = written;
  for (const piece of pieces) {
    if (left >= piece.length) left -= piece.length;
    else {
      rest.push(left > 0 ? piece.subarray(left) : piece);
      left = 0;
    }
  }
  return rest;
}

/** The code of a system error (`ENOENT`…), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
