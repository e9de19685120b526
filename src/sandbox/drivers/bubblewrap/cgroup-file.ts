import { closeSync, openSync, readdirSync, readFileSync, readSync, rmdirSync, writeFileSync, writeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { errno } from "../../../lib/errno.ts";
import { sendSignal } from "./signals.ts";

const scratch = Buffer.alloc(64 * 1024);

/** A counter file that stays open, because opening costs more than reading. Not for `cgroup.procs` of v1: the kernel may answer
 *  a second read of the same descriptor from a list it made before. */
export class CounterFile {
  readonly #fd: number;

  constructor(path: string, flags: "r" | "r+" = "r") {
    this.#fd = openSync(path, flags);
  }

  /** Null where the machine lacks the file. */
  static tryOpen(path: string, flags: "r" | "r+" = "r"): CounterFile | null {
    try {
      return new CounterFile(path, flags);
    } catch (error) {
      if (errno(error) === "ENOENT" || errno(error) === "EACCES") return null;
      throw error;
    }
  }

  text(): string {
    return scratch.toString("latin1", 0, readSync(this.#fd, scratch, 0, scratch.length, 0));
  }

  number(): number {
    return Number(this.text());
  }

  /** The number behind `key ` in a file of `key value` lines; 0 where it is absent. */
  field(key: string): number {
    return fieldOf(this.text(), key);
  }

  /** False when the kernel refuses the text. */
  write(text: string): boolean {
    try {
      writeSync(this.#fd, text, 0);
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function fieldOf(text: string, key: string): number {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${key} `));
  return line === undefined ? 0 : Number(line.slice(key.length + 1));
}

/** Process ids of one group; none when it is gone. */
export function processesOf(folder: string): number[] {
  try {
    return readFileSync(`${folder}/cgroup.procs`, "latin1").split("\n").filter(Boolean).map(Number);
  } catch (error) {
    if (errno(error) === "ENOENT" || errno(error) === "ENODEV") return [];
    throw error;
  }
}

/** Writes a control file; false when the kernel refuses it or it is not there. */
export function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}

/** The same off the main thread, for writes that the kernel answers late. */
export async function tryWriteLater(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text);
    return true;
  } catch {
    return false;
  }
}

/** Longest wait for killed processes to leave a group. A process in uninterruptible sleep may take longer; then it is said. */
const EMPTY_WITHIN_MS = 10_000;

/** Kills what is left in a group and the groups below it, and removes them. Returns how many processes there were,
 *  or null when the group could not be emptied. */
export async function killAndRemove(folder: string): Promise<number | null> {
  let killed = 0;
  for (const child of subfolders(folder)) {
    const count = await killAndRemove(`${folder}/${child}`);
    if (count === null) return null;
    killed += count;
  }
  const first = processesOf(folder);
  for (let waitedMs = 0; ; waitedMs += 5) {
    const left = processesOf(folder);
    if (left.length === 0 && tryRemove(folder)) return killed + first.length;
    if (waitedMs > EMPTY_WITHIN_MS) return null;
    if (!tryWrite(`${folder}/cgroup.kill`, "1")) sendSignal(left, "SIGKILL");
    await sleep(5);
  }
}

function tryRemove(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errno(error) === "ENOENT";
  }
}

/** Names of the groups right below a group. */
export function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (errno(error) === "ENOENT" || errno(error) === "EACCES") return [];
    throw error;
  }
}
