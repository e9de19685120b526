import { invalidArchive } from "./tar/tar-header.ts";

const MAX_NAME_BYTES = 255;

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

/** A path whose raw bytes are written as one character each, which need not be UTF-8. */
export type BytePath = string;

export const bytePath = (path: string): BytePath => Buffer.from(path).toString("latin1");

/** What the calls of the file system take: the text itself where all of it is ASCII, which is by far the cheaper. */
export function onDisk(path: BytePath): string | Buffer {
  for (let at = 0; at < path.length; at++) if (path.charCodeAt(at) > 0x7e) return Buffer.from(path, "latin1");
  return path;
}
