import { readFileSync } from "node:fs";
import { namespaceOf } from "./proc-table.ts";

/** Control groups and runtime folders outlive a server that is killed, and its data directory may be deleted after that. So their names say whose
 *  they are: `sluice-<name>.<pid namespace>-<process id>-<start time>`. Three numbers, because process ids are given again, and mean something
 *  else in a container that shares the folder. */
const OWNED = /^sluice-([A-Za-z0-9._-]+)\.(\d+)-(\d+)-(\d+)(\.server)?$/;

/** The name of what this process makes for the server `name`. */
export function ownedName(name: string): string {
  return `sluice-${name}.${namespaceOf("self", "pid") ?? 0}-${process.pid}-${startOf(process.pid) ?? 0}`;
}

/** Whether an entry was made by any server. */
export const isOwned = (entry: string): boolean => OWNED.test(entry);

/** Whether an entry was made for the server `name`, by this process or an earlier one. */
export function isOwnedBy(entry: string, name: string): boolean {
  return OWNED.exec(entry)?.[1] === name;
}

/** True only when the process that made the entry is surely gone: it was of this process's namespace, and no process of that id began when it did. */
export function ownerIsGone(entry: string): boolean {
  const [, , namespace, pid, start] = OWNED.exec(entry) ?? [];
  if (namespace === undefined || Number(namespace) !== namespaceOf("self", "pid")) return false;
  return startOf(Number(pid)) !== Number(start);
}

/** When a process began, in clock ticks since the machine did; null when it has ended. Field 22. @see proc_pid_stat(5) */
function startOf(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The second field, the name in brackets, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return "ZX".includes(fields[0] ?? "") ? null : Number(fields[19]);
}
