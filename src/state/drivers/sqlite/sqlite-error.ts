/** Primary result codes that the group commit treats apart. @see https://www.sqlite.org/rescode.html */
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
/** The wal-index could not grow: the disk is full, though SQLite calls it an I/O error. */
const SQLITE_IOERR_SHMSIZE = SQLITE_IOERR | (19 << 8);

/** The extended result code of an error that SQLite raised, or null when something else did. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

export function isDiskFull(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && ((code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE);
}

/** Reading, writing or syncing failed. After a failed fsync nobody knows what is on disk, and trying again would say "done" falsely. */
export function isIoError(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && (code & 0xff) === SQLITE_IOERR && code !== SQLITE_IOERR_SHMSIZE;
}

export const isNoDatabase = (error: unknown): boolean => sqliteCode(error) === SQLITE_NOTADB;
