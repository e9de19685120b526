import { readFile } from "node:fs/promises";

/** A field of /proc/PID/status in bytes: `VmHWM` is the most that was ever resident, `VmRSS` what is now. */
export async function residentBytes(pid: number, field: "VmHWM" | "VmRSS"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status);
  if (!match) throw new Error(`Cannot read ${field} of process ${pid}`);
  return Number(match[1]) * 1024;
}

export const MEGABYTE = 1_000_000;
