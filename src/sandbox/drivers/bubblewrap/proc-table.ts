import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { errno } from "../../../lib/errno.ts";

/** One line of the machine's process table, as far as the driver needs it. */
interface Row {
  readonly pid: number;
  readonly parent: number;
}

/** Null for a process that has gone; also for a zombie, which runs nothing: its end may wait long for the machine's first process. */
function rowOf(pid: number): Row | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The name stands in brackets and may hold anything; the fields after the last bracket are plain.
  const [state = "", parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return "ZX".includes(state) ? null : { pid, parent: Number(parent) };
}

function rows(): Row[] {
  return processIds().flatMap((pid) => rowOf(pid) ?? []);
}

function processIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

/** The process and everything below it. */
export function processTree(pid: number): number[] {
  const children = Map.groupBy(rows(), (row) => row.parent);
  const tree = [pid];
  for (const parent of tree) for (const child of children.get(parent) ?? []) tree.push(child.pid);
  return tree;
}

/** Processes whose host user id is in [first, first + count). */
export function processesOfUids(first: number, count: number): number[] {
  return processIds().filter((pid) => {
    const uid = uidOf(pid);
    return uid !== null && uid >= first && uid < first + count && rowOf(pid) !== null;
  });
}

/** Entries of one user in the process table, zombies included. */
export function countOfUid(uid: number): number {
  return processIds().filter((pid) => uidOf(pid) === uid).length;
}

export function isAlive(pid: number): boolean {
  return rowOf(pid) !== null;
}

export function parentOf(pid: number): number | null {
  return rowOf(pid)?.parent ?? null;
}

/** The host user id of a process; null when it has gone. */
export function uidOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch (error) {
    if (errno(error) === "ENOENT" || errno(error) === "ESRCH") return null;
    throw error;
  }
}

/** The inode of one of a process's namespaces; null when it has gone or may not be looked at. */
export function namespaceOf(pid: number | "self", kind: "pid" | "net" | "user" | "mnt" | "ipc" | "uts"): number | null {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`))?.[1]);
  } catch {
    return null;
  }
}

/** Private memory of the processes together, in bytes, swapped pages included; memory that stands for files does not count. */
export function privateBytes(pids: readonly number[]): number {
  let kibibytes = 0;
  for (const pid of pids) {
    const status = read(`/proc/${pid}/status`) ?? "";
    for (const [, amount] of status.matchAll(/^(?:RssAnon|VmSwap):\s+(\d+) kB$/gm)) kibibytes += Number(amount);
  }
  return kibibytes * 1024;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
