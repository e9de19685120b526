import type { Stats } from "node:fs";
import { lstat, mkdir, readlink } from "node:fs/promises";
import { invalidArchive } from "./tar/tar-header.ts";

/** Symbolic links followed on the way to one folder, as in Linux. */
const MAX_LINKS = 40;
const MAX_NAME_BYTES = 255;

/** A path inside an image's root. Names are raw bytes as one character each. */
export type RootPath = readonly string[];

/** The parts of a member's name: without a root, `.` and empty parts. @throws SluiceError IMAGE_INVALID for `..`, NUL and names that are too long */
export function splitName(name: string): string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalidArchive(`the name ${shownName(name)} leads out of its folder`);
  if (name.includes("\0")) throw invalidArchive(`the name ${shownName(name)} holds a NUL`);
  if (parts.some((part) => part.length > MAX_NAME_BYTES))
    throw invalidArchive(`a part of the name ${shownName(name)} is too long`);
  return parts;
}

/** For messages: names come from outside. */
export const shownName = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);

/** The bytes of a path, which need not be UTF-8. */
export function pathBytes(root: string, path: RootPath): Buffer {
  return Buffer.concat([Buffer.from(root), ...path.map((part) => Buffer.from(`/${part}`, "latin1"))]);
}

export async function lstatIn(root: string, path: RootPath): Promise<Stats | null> {
  try {
    return await lstat(pathBytes(root, path));
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return null;
    throw error;
  }
}

/** The folder that a path leads to, every link on the way followed as if the root were the machine's own: an absolute one begins at the root, and
 *  `..` stops there. No link can lead outside. Nobody else writes below the root while this runs, so that what was looked at stays.
 *  @param make true makes missing folders (0755)
 *  @returns without links; null when a folder is missing and `make` is false
 *  @throws SluiceError IMAGE_INVALID when a file is in the way, or links go in circles */
export async function resolveFolder(root: string, path: RootPath, make: boolean): Promise<RootPath | null> {
  const waiting = [...path].reverse();
  let at: string[] = [];
  let links = 0;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === "..") {
      at = at.slice(0, -1);
      continue;
    }
    const next = [...at, part];
    const stats = await lstatIn(root, next);
    if (stats === null) {
      if (!make) return null;
      await mkdir(pathBytes(root, next), { mode: 0o755 });
    } else if (stats.isSymbolicLink()) {
      links += 1;
      if (links > MAX_LINKS) throw invalidArchive(`the links on the way to ${shownName(path.join("/"))} go in circles`);
      const target = (await readlink(pathBytes(root, next), { encoding: "buffer" })).toString("latin1");
      if (target.startsWith("/")) at = [];
      waiting.push(
        ...target
          .split("/")
          .filter((each) => each !== "" && each !== ".")
          .reverse(),
      );
      continue;
    } else if (!stats.isDirectory()) {
      throw invalidArchive(`${shownName(next.join("/"))} is a file and a folder at once`);
    }
    at = next;
  }
  return at;
}
