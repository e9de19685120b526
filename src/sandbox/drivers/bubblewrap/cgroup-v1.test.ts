import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ROOMY_LIMITS } from "../../testing/sandbox-bench.ts";
import type { CgroupTree } from "./cgroup.ts";
import { openCgroups } from "./cgroup-detect.ts";
import { ownedGroups } from "./cgroup-reclaim.ts";
import { ownedName } from "./owned-name.ts";

const NAME = `v1-${process.pid}`;
const groupsNamed = (mount: string, name: string): string[] =>
  ownedGroups(mount).filter((path) => path.endsWith(`/${ownedName(name)}`));
const opened = openCgroups(NAME, process.geteuid?.() === 0);
const isV1 = "version" in opened && opened.version === 1;
if ("version" in opened) opened.close();

/** Of this machine's kernel, where it has version 1. */
describe.runIf(isV1)("control groups of version 1", () => {
  const MEMORY = "/sys/fs/cgroup/memory";
  const tree = (): CgroupTree => {
    const made = openCgroups(NAME, true);
    if (!("version" in made)) throw new Error(made.why);
    return made;
  };
  const read = (controller: string, file: string): string => {
    const folder = groupsNamed(`/sys/fs/cgroup/${controller}`, NAME)[0];
    return readFileSync(`${folder}/slot-0/${file}`, "utf8").trim();
  };

  test("limits go up and down, memory and swap together", async () => {
    const all = tree();
    const group = all.open("slot-0");
    for (const memoryBytes of [1 << 26, 1 << 28, 1 << 25]) {
      await group.limit({ ...ROOMY_LIMITS, memoryBytes, pids: 20, cpuMilli: 500 }, 4);
      expect(read("memory", "memory.limit_in_bytes")).toBe(String(memoryBytes));
      expect(read("memory", "memory.memsw.limit_in_bytes")).toBe(String(memoryBytes));
    }
    expect(read("pids", "pids.max")).toBe("24");
    expect(read("cpu", "cpu.shares")).toBe("512");
    expect(read("cpu", "cpu.cfs_quota_us")).toBe("-1");
    await group.limit({ ...ROOMY_LIMITS, cpuMilli: 250, cpuHard: true }, 4);
    expect(read("cpu", "cpu.cfs_quota_us")).toBe("25000");
    group.remove();
    all.close();
    expect(groupsNamed(MEMORY, NAME)).toEqual([]);
  });

  test("kill ends what is in the group and keeps it from forking", async () => {
    const all = tree();
    const group = all.open("slot-0");
    const child = spawn("sh", ["-c", "read go; while :; do sleep 0.01 & done"], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    // A shell that is refused a fork ends by itself, which may be before it is killed.
    const gone = once(child, "exit");
    await group.join(child.pid ?? 0);
    await group.limit({ ...ROOMY_LIMITS, pids: 50 }, 4);
    group.begin();
    child.stdin?.end("go\n");
    while (child.exitCode === null && group.processes().length < 10) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    group.kill();
    await gone;
    for (let tries = 0; tries < 400 && group.processes().length > 0; tries += 1) {
      group.kill();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(group.processes()).toEqual([]);
    expect(group.counts().cpuMs).toBeGreaterThan(0);
    group.revive();
    expect(read("pids", "pids.max")).toBe("max");
    group.remove();
    all.close();
  });

  test("reclaim kills and removes what an earlier server left, and leaves open groups alone", async () => {
    const earlier = tree();
    const left = earlier.open("slot-7");
    const child = spawn("sleep", ["300"], { stdio: "ignore", detached: true });
    await left.join(child.pid ?? 0);
    const mine = earlier.open("slot-0");
    const now = tree();
    expect(await now.reclaim()).toEqual(expect.arrayContaining([expect.stringContaining("Killed 1 processes")]));
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    expect(groupsNamed(MEMORY, NAME).some((folder) => existsSync(`${folder}/slot-7`))).toBe(false);
    expect(mine.processes()).toEqual([]);
    now.close();
  });
});
