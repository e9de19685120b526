import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import { errno } from "../lib/errno.ts";
import { namesOf, shownAt } from "../lib/overlay-lookup.ts";

/** Who a program is inside its sandbox. */
export interface InsideIds {
  readonly uid: number;
  readonly gid: number;
}

/** Accounts of an image fill a few kilobytes. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_ID = 2 ** 31 - 1;

/** The ids that `USER` of an image stands for: `user`, `user:group`, numbers or names of the image's own /etc/passwd and /etc/group. Nothing is root.
 *  A number without an account has group 0, as in Docker.
 *  @param layers the image's layers, lowest first
 *  @throws SluiceError IMAGE_UNSUPPORTED for a name that the image does not know */
export function imageUser(user: string, layers: readonly string[]): InsideIds {
  const [name = "", group] = user.split(":");
  if (name === "" && group === undefined) return { uid: 0, gid: 0 };
  const account = accountOf(name === "" ? "0" : name, layers);
  return { uid: account.uid, gid: group === undefined || group === "" ? account.gid : groupOf(group, layers) };
}

function accountOf(name: string, layers: readonly string[]): InsideIds {
  const isNumber = /^\d+$/.test(name);
  const line = linesOf("etc/passwd", layers).find(([known, , uid]) =>
    isNumber ? Number(uid) === Number(name) : known === name,
  );
  if (line !== undefined) return { uid: idOf(line[2] ?? "", name), gid: idOf(line[3] ?? "", name) };
  if (!isNumber) throw unknown("user", name);
  return { uid: idOf(name, name), gid: 0 };
}

function groupOf(name: string, layers: readonly string[]): number {
  if (/^\d+$/.test(name)) return idOf(name, name);
  const line = linesOf("etc/group", layers).find(([known]) => known === name);
  if (line === undefined) throw unknown("group", name);
  return idOf(line[2] ?? "", name);
}

function idOf(text: string, name: string): number {
  const id = Number(text);
  if (!/^\d+$/.test(text) || id > MAX_ID) throw unknown("user", name);
  return id;
}

function unknown(what: string, name: string): SluiceError {
  return new SluiceError(
    "IMAGE_UNSUPPORTED",
    `Cannot run the image: its USER names the ${what} ${JSON.stringify(name)}, which it has no account for`,
  );
}

/** Fields of each line of a file. Links are not followed: they would lead to this machine's files. */
function linesOf(path: string, layers: readonly string[]): string[][] {
  const shown = shownAt(layers, namesOf(path));
  const text = shown?.stats.isFile() === true ? readSmall(shown.path) : "";
  return text.split("\n").map((line) => line.split(":"));
}

function readSmall(path: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errno(error) === "ELOOP" || errno(error) === "EACCES") return "";
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) return "";
    const buffer = Buffer.alloc(Math.min(fstatSync(file).size, MAX_FILE_BYTES));
    return buffer.toString("utf8", 0, readSync(file, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(file);
  }
}
