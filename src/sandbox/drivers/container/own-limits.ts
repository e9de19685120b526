import { readFileSync } from "node:fs";

/** A limit of processes as engines take it. */
export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/** Linux takes no larger number of open files unless told to (`fs.nr_open`). */
const MOST_OPEN_FILES = 1_048_576;

/** Limits that are named to the engine because its own defaults may lie above what this machine allows, where they could not be set: then nothing
 *  would start. An engine on this machine was started with hard limits like the server's; Podman lowers its processes' to what there can be.
 *  @see proc_pid_limits(5) */
export function ownLimits(
  limits = readFileSync("/proc/self/limits", "latin1"),
  mostProcesses = Number(readFileSync("/proc/sys/kernel/pid_max", "latin1")),
): Ulimit[] {
  const at = (title: string, most: number): number => {
    const line = limits.split("\n").find((text) => text.startsWith(title)) ?? "";
    const hard = Number(line.slice(title.length).trim().split(/\s+/)[1]);
    return Number.isFinite(hard) ? Math.min(hard, most) : most;
  };
  const both = (Name: string, value: number): Ulimit => ({ Name, Soft: value, Hard: value });
  return [both("nofile", at("Max open files", MOST_OPEN_FILES)), both("nproc", at("Max processes", mostProcesses))];
}
