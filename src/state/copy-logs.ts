import { constants } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Copies the logs of jobs while they are written and removed: a log as far as it has come, and none that vanishes meanwhile. Logs are no part of
 *  any promise, so nothing is fsynced. */
export async function copyLogs(from: string, to: string): Promise<void> {
  const entries = (await unlessGone(readdir(from, { withFileTypes: true }))) ?? [];
  if (entries.length > 0) await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyLogs(source, target);
    else if (entry.isFile()) await unlessGone(copyFile(source, target, constants.COPYFILE_FICLONE));
  }
}

async function unlessGone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
