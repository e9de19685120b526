import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { makeFolders } from "../lib/make-folders.ts";

/** Reads a file that holds credentials: only a regular file (no symbolic link) that belongs to this user or to root and that nobody else
 *  may read or write. Null when there is none.
 *  @throws SluiceError FORBIDDEN, naming the line that mends it */
export async function readPrivate(path: string): Promise<string | null> {
  let file: FileHandle;
  try {
    // Checked on the open file, so that it cannot be exchanged in between.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return explainOpen(path, error);
  }
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw refused(path, "it is not a regular file", "remove it");
    if (!trusted(facts.uid))
      throw refused(path, "it belongs to another user", "remove it, or name the server with --endpoint");
    if ((facts.mode & 0o077) !== 0) throw refused(path, "other users may read or change it", `chmod 600 ${path}`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function explainOpen(path: string, error: unknown): null {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "ENOENT" || code === "ENOTDIR") return null;
  if (code === "ELOOP") throw refused(path, "it is a symbolic link", "remove it");
  if (code === "EACCES") {
    throw refused(path, "it belongs to another user", "run this as that user, or: sluice login URL");
  }
  throw error;
}

/** True when the folder exists, is no symbolic link, and belongs to this user or to root. */
export async function isTrustedFolder(path: string): Promise<boolean> {
  const facts = await lstat(path).catch(() => null);
  return facts?.isDirectory() === true && trusted(facts.uid);
}

const trusted = (uid: number): boolean => uid === 0 || uid === process.getuid?.();

/** Replaces the file as a whole, readable by this user only: a crash leaves the old or the new one. */
export async function writePrivate(path: string, text: string): Promise<void> {
  makeFolders(dirname(path), 0o700);
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // An odd umask could have taken rights from the owner too.
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function refused(path: string, state: string, cure: string): SluiceError {
  return new SluiceError("FORBIDDEN", `Cannot use "${path}": ${state} (${cure})`);
}
