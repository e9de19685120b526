import { readFileSync } from "node:fs";

/** How many files this process may have open at once (sockets and pipes count), Infinity where there is no limit or none that can be read.
 *  Node raises the soft limit to the hard one at its start, so this is what `ulimit -Hn` says. @see proc_pid_limits(5) */
export function openFilesLimit(file = "/proc/self/limits"): number {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // Another kernel than Linux, or a container without /proc.
    return Number.POSITIVE_INFINITY;
  }
  const soft = /^Max open files\s+(\d+)\s/m.exec(text)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
