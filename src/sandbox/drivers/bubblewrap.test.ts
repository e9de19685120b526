import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Instance } from "../sandbox.ts";
import { type RunOptions, SandboxBench } from "../testing/sandbox-bench.ts";
import { ownedGroups } from "./bubblewrap/cgroup-reclaim.ts";
import { BubblewrapInstance } from "./bubblewrap/instance.ts";
import { isOwnedBy } from "./bubblewrap/owned-name.ts";
import { uidOf } from "./bubblewrap/proc-table.ts";

const MEBIBYTE = 1024 * 1024;
const isRoot = process.geteuid?.() === 0;
/** Seconds that scripts sleep for; other runs on this machine sleep for others, and so their processes are not taken for these. */
const NAP = `353.${process.pid}`;

let bench: SandboxBench;
beforeAll(async () => {
  bench = await SandboxBench.open("bubblewrap");
});
afterAll(() => bench.close());

/** A limit of the kernel where there are control groups, else looked at: then the script must last for a look. */
async function hasCgroups(): Promise<boolean> {
  const { guards } = await bench.sandbox.probe();
  return guards.find((guard) => guard.name === "cgroups")?.state === "enforced";
}

test("no more sandboxes are kept ready than jobs run at once, whatever services ask for", async () => {
  const few = await SandboxBench.open("bubblewrap", { warmSlots: 2, uidBase: 310_000 });
  const spec = { root: { kind: "host" }, network: "none", tenant: "many" } as const;
  await few.sandbox.keepReady?.([
    { ...spec, count: 1000 },
    { ...spec, count: 1000 },
  ]);
  expect((await few.run("echo well")).out).toBe("well\n");
  await few.close();
});

describe("limits", () => {
  test("memory: ended when the script takes too much, though parts of it would go on", async () => {
    const script = "head -c 300000000 /dev/zero | tail -c 290000000 >/dev/null; sleep 5; echo went on";
    const result = await bench.run(script, { limits: { memoryBytes: 48 * MEBIBYTE } });
    expect(result.limit).toBe("memory");
    expect(result.out).not.toContain("went on");
  });

  test("memory: /dev/shm counts", async () => {
    const result = await bench.run("head -c 200000000 /dev/zero >/dev/shm/file", {
      limits: { memoryBytes: 48 * MEBIBYTE },
    });
    expect(result.exitCode).not.toBe(0);
    if (await hasCgroups()) expect(result.limit).toBe("memory");
  });

  test("memory: a job's peak is its own, not what the slot saw before", async () => {
    if (!(await hasCgroups())) return;
    const large = await bench.run("head -c 60000000 /dev/zero | tail -c 50000000 >/dev/null");
    const small = await bench.run("true");
    expect(large.usage.memoryPeakBytes).toBeGreaterThan(40 * MEBIBYTE);
    expect(small.usage.memoryPeakBytes).toBeLessThan(20 * MEBIBYTE);
  });

  test("memory: what an earlier job left in the file cache is no burden on a smaller one", async () => {
    await bench.run("head -c 60000000 /dev/zero >large; cat large >/dev/null");
    expect(await bench.run("echo well", { limits: { memoryBytes: 16 * MEBIBYTE } })).toMatchObject({
      exitCode: 0,
      limit: null,
    });
  });

  test("pids: ten thousand children are refused, the reason is told, the next job is well", async () => {
    const script = "i=0; while [ $i -lt 10000 ]; do sleep 60 & i=$((i+1)); done; wait";
    const result = await bench.run(script, { limits: { pids: 32, wallMs: 20_000 } });
    if (await hasCgroups()) expect(result.limit).toBe("pids");
    expect(result.exitCode).not.toBe(0);
    expect((await bench.run("echo well")).out).toBe("well\n");
  });

  test("pids: a bomb that never gives up is held, and ends with its time", async () => {
    const bomb = "b() { b 2>/dev/null | b 2>/dev/null & }; while :; do b 2>/dev/null; done";
    const result = await bench.run(bomb, { limits: { pids: 40, wallMs: 500 } });
    expect(result.exitCode).not.toBe(0);
    expect((await bench.run("echo well")).out).toBe("well\n");
  });

  test("pids: ended sandboxes of a slot do not count against the next ones", async () => {
    for (let n = 0; n < 60; n += 1)
      expect(await bench.run("true", { limits: { pids: 4 } })).toMatchObject({ exitCode: 0 });
  });

  test("disk: one large file ends at the limit", async () => {
    const result = await bench.run("head -c 20000000 /dev/zero >large", { limits: { diskBytes: MEBIBYTE } });
    expect(result).toMatchObject({ limit: "disk", signal: "SIGXFSZ" });
  });

  test("disk: many small files end a running script", async () => {
    const script = "i=0; while :; do head -c 100000 /dev/zero >f$i; i=$((i+1)); done";
    const result = await bench.run(script, { limits: { diskBytes: 4 * MEBIBYTE } });
    expect(result).toMatchObject({ limit: "disk", exitCode: null });
  });

  test("disk: what a short script allocated counts at its end", async () => {
    const script = "for i in 1 2 3 4 5 6; do head -c 400000 /dev/zero >f$i; done";
    // On a slow machine it may be seen, and ended, before that.
    expect(await bench.run(script, { limits: { diskBytes: MEBIBYTE } })).toMatchObject({ limit: "disk" });
  });

  test("disk: a sparse file counts by what it occupies", async () => {
    const result = await bench.run("truncate -s 30M sparse", { limits: { diskBytes: 40 * MEBIBYTE } });
    expect(result).toMatchObject({ exitCode: 0, limit: null });
  });

  test("files: more than the allowance end the script", async () => {
    const script = "i=0; while :; do mkdir d$i; : >d$i/f; i=$((i+1)); done";
    expect(await bench.run(script, { limits: { files: 500 } })).toMatchObject({ limit: "files", exitCode: null });
  });

  test("wall clock: a script that ignores SIGTERM is killed after the grace", async () => {
    const result = await bench.run("trap '' TERM; while :; do sleep 1; done", { limits: { wallMs: 100 } });
    expect(result).toMatchObject({ limit: "wall", signal: "SIGKILL" });
  });

  test("wall clock: a script may end its work on SIGTERM, and so may its children", async () => {
    const script =
      "trap 'echo parent' TERM; sh -c 'trap \"echo child; exit\" TERM; while :; do sleep 0.05; done' & wait; wait; exit 0";
    const result = await bench.run(script, { limits: { wallMs: 150 } });
    expect(result).toMatchObject({ limit: "wall", exitCode: 0 });
    expect(result.out.split("\n")).toEqual(expect.arrayContaining(["child", "parent"]));
  });

  test("cpu: a hard limit slows a busy script down", async () => {
    if (!(await hasCgroups())) return;
    const script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    const { usage } = await bench.run(script, { limits: { cpuMilli: 200, cpuHard: true } });
    expect((usage.cpuMs ?? 0) / usage.wallMs).toBeLessThan(0.5);
  });

  test("core files and descriptors are bounded", async () => {
    const { out } = await bench.run("ulimit -c; ulimit -n");
    const [core, files] = out.trim().split("\n").map(Number);
    expect(core).toBe(0);
    expect(files).toBeLessThanOrEqual(20_000);
  });
});

describe("output", () => {
  test("a hundred megabytes pass in bounded memory", async () => {
    let bytes = 0;
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const result = await bench.run("head -c 104857600 /dev/zero", {
      onOutput: (chunk) => {
        bytes += chunk.length;
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        // Every now and then a slow disk.
        return bytes % 50 === 0 ? sleep(1) : undefined;
      },
    });
    expect(result.exitCode).toBe(0);
    expect(bytes).toBe(104_857_600);
    expect(most).toBeLessThan(80 * MEBIBYTE);
  });

  test("scripts can write to /dev/stdout and /dev/stderr", async () => {
    const { out } = await bench.run("echo one >/dev/stdout; echo two >/dev/stderr; echo three >/proc/self/fd/1");
    expect(out).toBe("one\ntwo\nthree\n");
  });

  test("a job that makes its output non-blocking does not change the next one's", async () => {
    await bench.run("perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK)' || true");
    const result = await bench.run("head -c 1000000 /dev/zero", { onOutput: () => sleep(2) });
    expect(result.exitCode).toBe(0);
  });

  test("bytes that are no text come through", async () => {
    const chunks: Buffer[] = [];
    await bench.run("printf '\\000\\377\\376'", { onOutput: (chunk) => void chunks.push(chunk) });
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([0, 0xff, 0xfe]));
  });
});

describe("what is left behind", () => {
  test("background processes are killed, counted and said", async () => {
    const begun = await bench.run(`sleep ${NAP} & sleep ${NAP} & (setsid sleep ${NAP} &) ; exit 0`);
    expect(begun).toMatchObject({ exitCode: 0, notes: ["3 background processes were killed"] });
    expect(runningSleeps()).toEqual([]);
    expect((await bench.run(`sleep ${NAP} & exit 4`)).notes).toEqual(["1 background process was killed"]);
  });

  test("processes that are just ending are no note", async () => {
    for (let i = 0; i < 5; i += 1) expect((await bench.run("yes | head -1; sleep 0.01 & wait")).notes).toEqual([]);
  });

  test("set-id bits, strange modes, links, pipes and names: the folder comes back to the server", async () => {
    const script = `
      : >setuid; chmod 6777 setuid; mkdir locked; : >locked/f; chmod 000 locked/f locked
      ln -s /etc/shadow link; mkfifo pipe; ln setuid hard
      printf x >"$(printf 'bad\\377name')"; mkdir -p deep/er; chmod 2777 deep`;
    const workFolder = bench.workFolder();
    expect((await bench.run(script, {}, workFolder)).exitCode).toBe(0);
    const owner = process.geteuid?.();
    for (const name of readdirSync(workFolder, { encoding: "buffer" })) {
      const stats = lstatSync(Buffer.concat([Buffer.from(`${workFolder}/`), name]));
      expect(stats.uid).toBe(owner);
      if (!stats.isSymbolicLink()) expect(stats.mode & 0o7077).toBe(0);
    }
    expect(readFileSync(`${workFolder}/locked/f`, "utf8")).toBe("");
    if (isRoot) expect(statSync("/etc/shadow").uid).toBe(0);
  });

  test("the environment is wiped from the slot after the run, and never on a command line", async () => {
    const secret = "hunter2-on-no-command-line";
    const options: RunOptions = {
      env: { SECRET: secret },
      whileRunning: async (instance) => {
        await scriptOf(instance);
        expect(commandLines()).not.toContain(secret);
      },
    };
    expect((await bench.run("sleep 0.2; echo $SECRET", options)).out).toBe(`${secret}\n`);
  });

  test("closing leaves no process, control group, mount or folder", async () => {
    const before = mounts();
    const other = await SandboxBench.open("bubblewrap");
    const instance = await other.sandbox.create(other.spec(other.workFolder()));
    const running = other.runIn(instance, `sleep ${NAP}`);
    await scriptOf(instance);
    await instance.destroy();
    await running;
    await other.close();
    expect(traces(`sluice-test-${process.pid}-2`)).toEqual([]);
    // Tests beside this one mount too, for a moment.
    await expect.poll(() => mounts().filter((mount) => !before.includes(mount)), { timeout: 10_000 }).toEqual([]);
  });
});

describe("failures of the sandbox itself", () => {
  test("a program that is not in the image", async () => {
    const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
    const run = instance.exec({ argv: ["/no/such/program"], env: {}, separateStdout: false, onOutput: () => {} });
    await expect(run).rejects.toMatchObject({
      code: "SANDBOX_UNAVAILABLE",
      message: expect.stringContaining("'/no/such/program' does not start in the image"),
    });
    await instance.destroy();
  });

  test("a mount whose source is gone", async () => {
    const gone = { kind: "blob", source: `${bench.folder}/gone`, target: "/work/in", readOnly: true } as const;
    await expect(bench.run("true", { mounts: [gone] })).rejects.toMatchObject({ code: "SANDBOX_UNAVAILABLE" });
    expect((await bench.run("echo well")).out).toBe("well\n");
  });

  test("variables that no program can take", async () => {
    for (const env of [
      { "A=B": "x" },
      { A: "nul\0byte" },
      Object.fromEntries(Array.from({ length: 2501 }, (_, i) => [`V${i}`, ""])),
    ]) {
      await expect(bench.run("true", { env })).rejects.toMatchObject({ code: "SERVICE_INVALID" });
    }
  });

  test("a launcher killed from outside is an infrastructure fault, and the slot recovers", async () => {
    const run = bench.run(`sleep ${NAP}`, {
      whileRunning: async (instance) => {
        await scriptOf(instance);
        for (const pid of launchers()) process.kill(pid, "SIGKILL");
      },
    });
    await expect(run).rejects.toMatchObject({ code: "SANDBOX_UNAVAILABLE" });
    expect(runningSleeps()).toEqual([]);
    expect((await bench.run("echo well")).out).toBe("well\n");
  });

  test("a machine without bubblewrap says what to install", async () => {
    const bare = await SandboxBench.open("bubblewrap", { bwrapPath: "/no/bwrap" });
    const report = await bare.sandbox.probe();
    expect(report).toMatchObject({ works: false, networks: [] });
    expect(report.guards[0]).toMatchObject({ state: "missing", why: "bubblewrap is not installed" });
    await expect(bare.run("true")).rejects.toMatchObject({ code: "SANDBOX_UNAVAILABLE" });
    await bare.close();
  });
});

describe("users of the machine", () => {
  test.runIf(isRoot)("no sandbox is root outside, and no two share a user", async () => {
    const instances = await Promise.all(
      Array.from({ length: 6 }, () => bench.sandbox.create(bench.spec(bench.workFolder()))),
    );
    const runs = instances.map((instance) => bench.runIn(instance, `sleep ${NAP}`));
    const uids = await Promise.all(instances.map(async (instance) => uidOf(await scriptOf(instance))));
    await Promise.all(instances.map((instance) => instance.destroy()));
    await Promise.all(runs);
    expect(new Set(uids).size).toBe(6);
    expect(uids).not.toContain(0);
    expect(uids).not.toContain(null);
  });

  test.runIf(isRoot)("two servers do not share users either", async () => {
    const other = await SandboxBench.open("bubblewrap");
    const seen = await Promise.all(
      [bench, other].map(async (server) => {
        const workFolder = server.workFolder();
        const instance = await server.sandbox.create(server.spec(workFolder));
        const { uid } = statSync(workFolder);
        await instance.destroy();
        return uid;
      }),
    );
    expect(seen[0]).not.toBe(seen[1]);
    await other.close();
  });

  test("inside, the script has a name, a home and no rights", async () => {
    const { out } = await bench.run(
      'id -un; hostname; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status | tr -d "\\t"',
    );
    expect(out.split("\n").slice(0, 5)).toEqual([
      "sluice",
      "sluice-test",
      "CapEff:0000000000000000",
      "CapBnd:0000000000000000",
      "NoNewPrivs:1",
    ]);
  });

  test("no descriptor of the server comes in", async () => {
    const { out } = await bench.run("for fd in /proc/self/fd/*; do [ -e $fd ] && basename $fd; done");
    expect(
      out
        .trim()
        .split("\n")
        .map(Number)
        .filter((fd) => fd > 2).length,
    ).toBeLessThanOrEqual(1);
  });
});

describe("a server that dies", () => {
  test("its sandboxes die with it, and the next start clears what is left", async () => {
    mkdirSync(`${bench.folder}/crash`, { mode: 0o777 });
    const name = `sluice-crash-${process.pid}`;
    const nap = `347.${process.pid}`;
    const server = spawn(
      process.execPath,
      [fileURLToPath(new URL("../testing/crash-server.ts", import.meta.url)), name, `${bench.folder}/crash`, nap],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const [line] = await once(server.stdout, "data");
    expect(String(line)).toContain("running");
    try {
      await expect.poll(() => runningSleeps(nap), { timeout: 10_000 }).toHaveLength(1);
    } finally {
      server.kill("SIGKILL");
    }
    await once(server, "exit");
    await expect.poll(() => runningSleeps(nap), { timeout: 10_000 }).toEqual([]);
    const next = await SandboxBench.open("bubblewrap", { name });
    await next.sandbox.reclaim();
    expect((await next.run("echo well")).out).toBe("well\n");
    await next.close();
    expect(traces(name)).toEqual([]);
  });
});

test("the full examination finds every guard that the quick one claims", async () => {
  const [quick, full] = [await bench.sandbox.probe(), await bench.sandbox.probe(true)];
  expect(full.guards).toEqual(quick.guards);
});

/** Waits for the script to run; its id on the machine. */
async function scriptOf(instance: Instance): Promise<number> {
  if (!(instance instanceof BubblewrapInstance)) throw new Error("another driver");
  for (;;) {
    const pid = instance.hostProcesses()[0];
    if (pid !== undefined) return pid;
    await sleep(5);
  }
}

function commandLines(): string {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    })
    .join("\n");
}

/** Sleeps of that length that are alive. */
function runningSleeps(seconds = NAP): string[] {
  return commandLines()
    .split("\n")
    .filter((line) => line === `sleep\0${seconds}\0`);
}

function mounts(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n");
}

/** The launchers of this process. */
function launchers(): number[] {
  return execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => (line.includes("sluice-launcher") ? [Number.parseInt(line, 10)] : []));
}

/** Control groups and folders of that name. */
function traces(name: string): string[] {
  const folders = ["/run", "/dev/shm"].flatMap((place) => readdirSync(place).map((entry) => `${place}/${entry}`));
  return [...ownedGroups("/sys/fs/cgroup"), ...folders].filter((path) => isOwnedBy(basename(path), name));
}
