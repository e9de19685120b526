import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOMY_LIMITS } from "../../testing/sandbox-bench.ts";
import type { CgroupTree } from "./cgroup.ts";
import { openCgroups } from "./cgroup-detect.ts";
import { ownedName } from "./owned-name.ts";

const OWN = ownedName("x");

/** A folder that looks like a cgroup2 mount. It takes what the kernel would take; the kernel's own behaviour is not tested here. */
let mount: string;
beforeEach(() => {
  mount = mkdtempSync(`${tmpdir()}/sluice-cgroup2-`);
});
afterEach(() => rmSync(mount, { recursive: true }));

function group(path: string, files: Record<string, string> = {}): string {
  const folder = `${mount}${path}`;
  mkdirSync(folder, { recursive: true });
  const all = {
    "cgroup.procs": "",
    "cgroup.controllers": "cpuset cpu io memory pids\n",
    "cgroup.subtree_control": "cpu memory pids\n",
    ...files,
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(`${folder}/${name}`, text);
  return folder;
}

function slot(path: string, files: Record<string, string> = {}): string {
  return group(path, {
    "cpu.stat": "usage_usec 0\nuser_usec 0\n",
    "memory.current": "1000\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
    "pids.current": "2\n",
    "pids.events": "max 0\n",
    ...files,
  });
}

function open(selfCgroup: string, root = false): ReturnType<typeof openCgroups> {
  const mountinfo = `30 24 0:26 / ${mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n`;
  return openCgroups("x", root, { mountinfo, selfCgroup });
}

function tree(selfCgroup: string, root = false): CgroupTree {
  const opened = open(selfCgroup, root);
  if (!("version" in opened)) throw new Error(opened.why);
  return opened;
}

describe("where the groups are made", () => {
  test("an ordinary user's in the server's own group", () => {
    group("/user.slice/run-1.scope");
    group(`/user.slice/run-1.scope/${OWN}`);
    const opened = tree("0::/user.slice/run-1.scope\n");
    expect([...opened.controllers].sort()).toEqual(["cpu", "memory", "pids"]);
  });

  test("the server moves to a leaf first when its group holds processes", () => {
    const own = group("/run-1.scope", { "cgroup.procs": `${process.pid}\n`, "cgroup.subtree_control": "" });
    group(`/run-1.scope/${OWN}`);
    // A real kernel refuses the first write while processes are there; this folder takes it, so no leaf is needed.
    tree("0::/run-1.scope\n");
    expect(readFileSync(`${own}/cgroup.subtree_control`, "utf8")).toBe("+memory +pids +cpu");
  });

  test("root's at the top, unless the server has a group to itself", () => {
    group("");
    group(`/${OWN}`);
    group("/user.slice/session-3.scope", { "cgroup.procs": `1\n${process.pid}\n` });
    expect(tree("0::/user.slice/session-3.scope\n", true).controllers.size).toBe(3);
    group("/system.slice/sluice.service", { "cgroup.procs": `${process.pid}\n` });
    group(`/system.slice/sluice.service/${OWN}`);
    expect(tree("0::/system.slice/sluice.service\n", true).controllers.size).toBe(3);
    expect(existsSync(`${mount}/user.slice/session-3.scope/${OWN}`)).toBe(false);
  });

  test("without the controllers it says how to get them", () => {
    group("/session.scope", { "cgroup.controllers": "pids\n" });
    expect(open("0::/session.scope\n")).toMatchObject({
      why: expect.stringContaining("has no memory controller"),
      mend: expect.stringContaining("systemd-run --user --scope -p Delegate=yes"),
    });
  });

  test("no cgroup mount at all", () => {
    expect(openCgroups("x", true, { mountinfo: "", selfCgroup: "" })).toMatchObject({
      why: "No memory and no pids controller is mounted",
    });
  });
});

describe("one group", () => {
  function opened(files: Record<string, string> = {}): { folder: string; group: ReturnType<CgroupTree["open"]> } {
    group("/s");
    group(`/s/${OWN}`);
    const folder = slot(`/s/${OWN}/slot-0`, files);
    return { folder, group: tree("0::/s\n").open("slot-0") };
  }
  const read = (folder: string, name: string): string => readFileSync(`${folder}/${name}`, "utf8");

  test("limits: memory without swap and as one, pids with the driver's own, cpu by weight", async () => {
    const { folder, group: made } = opened();
    await made.limit({ ...ROOMY_LIMITS, memoryBytes: 1 << 26, pids: 32, cpuMilli: 500 }, 4);
    expect(read(folder, "memory.max")).toBe(String(1 << 26));
    expect(read(folder, "memory.swap.max")).toBe("0");
    expect(read(folder, "memory.oom.group")).toBe("1");
    expect(read(folder, "pids.max")).toBe("36");
    expect(read(folder, "cpu.weight")).toBe("50");
    expect(read(folder, "cpu.max")).toBe("max 100000");
    expect(made.oomEndsAll).toBe(true);
  });

  test("limits: a hard cpu limit is a quota, and weights stay in the kernel's range", async () => {
    const { folder, group: made } = opened();
    await made.limit({ ...ROOMY_LIMITS, cpuMilli: 1, cpuHard: true }, 4);
    expect(read(folder, "cpu.max")).toBe("1000 100000");
    expect(read(folder, "cpu.weight")).toBe("1");
    await made.limit({ ...ROOMY_LIMITS, cpuMilli: 250_000 }, 4);
    expect(read(folder, "cpu.weight")).toBe("10000");
  });

  test("only what differs is written", async () => {
    const { folder, group: made } = opened();
    await made.limit(ROOMY_LIMITS, 4);
    writeFileSync(`${folder}/memory.max`, "untouched");
    await made.limit({ ...ROOMY_LIMITS, pids: 7 }, 4);
    expect(read(folder, "memory.max")).toBe("untouched");
    expect(read(folder, "pids.max")).toBe("11");
  });

  test("memory above the new limit is freed off the main thread, and the limit is set all the same", async () => {
    const { folder, group: made } = opened({ "memory.current": String(1 << 30) });
    await made.limit({ ...ROOMY_LIMITS, memoryBytes: 1 << 26 }, 4);
    expect(read(folder, "memory.max")).toBe(String(1 << 26));
  });

  test("counts start at begin", () => {
    const { folder, group: made } = opened({
      "cpu.stat": "usage_usec 5000\n",
      "memory.events": "oom_kill 3\n",
      "pids.events": "max 9\n",
    });
    made.begin();
    expect(made.counts()).toEqual({ cpuMs: 0, memoryPeakBytes: null, oomKills: 0, forksRefused: 0 });
    writeFileSync(`${folder}/cpu.stat`, "usage_usec 12000\n");
    writeFileSync(`${folder}/memory.events`, "low 0\noom_kill 4\n");
    writeFileSync(`${folder}/pids.events`, "max 11\n");
    expect(made.counts()).toEqual({ cpuMs: 7, memoryPeakBytes: null, oomKills: 1, forksRefused: 2 });
  });

  test("kill uses the kernel's own where it has it", () => {
    const { folder, group: made } = opened({ "cgroup.procs": "11\n12\n" });
    expect(made.processes()).toEqual([11, 12]);
    made.kill();
    expect(read(folder, "cgroup.kill")).toBe("1");
  });

  test("join writes the process", async () => {
    const { folder, group: made } = opened();
    await made.join(4711);
    expect(read(folder, "cgroup.procs")).toBe("4711");
  });

  test("a limit that the kernel refuses is an error, not a weaker sandbox", async () => {
    const { folder, group: made } = opened();
    mkdirSync(`${folder}/memory.max`);
    await expect(made.limit(ROOMY_LIMITS, 4)).rejects.toThrow(/Cannot set the sandbox's limit: .*memory\.max/);
  });
});
