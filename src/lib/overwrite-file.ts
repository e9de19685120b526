import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

const OPEN = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;

/** Makes `data` the whole content of a file, made with mode 0600 when absent. Not atomic, not durable: for files that nobody else looks at.
 *
 *  Never truncates to nothing first, as `writeFileSync` does: ext4 takes that for the replacement of a document and starts writing it to disk at
 *  close (`auto_da_alloc`), which takes thirty times as long.
 *  @throws errors of the file system; ELOOP for a symbolic link */
export function overwriteFile(path: string, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  const fd = openSync(path, OPEN, 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    if (fstatSync(fd).size > bytes.length) ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}
