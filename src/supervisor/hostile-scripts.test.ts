import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AttemptResult } from "../core/job.ts";
import type { Service } from "../core/service.ts";
import { silentLog } from "../lib/log.ts";
import { openSandbox } from "../sandbox/open.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { type AttemptBench, attemptBench, entry, makeOrder } from "./testing/attempt-bench.ts";
import { prepareWorkFolder } from "./work-folder.ts";

/** The supervisor over the real sandbox, with scripts that want to do harm. Needs bubblewrap; `scripts/setup.sh` installs it. */

const FIXTURES = join(import.meta.dirname, "../../test/fixtures/hostile");
const ASROOT = process.geteuid?.() === 0;
const SLOTS_GID = 200_000;
const MIB = 1024 ** 2;

let sandbox: Sandbox;
let bench: AttemptBench;

beforeAll(async () => {
  sandbox = await openSandbox({
    driver: "bubblewrap",
    name: `test-${process.pid}`,
    privatePaths: [],
    graceMs: 200,
    log: silentLog,
  });
});
afterAll(() => sandbox.close());
afterEach(() => bench.remove());

interface Ran extends AttemptResult {
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Runs a fixture and checks what holds for all: one finish, nothing left, no failure that publishes. */
async function run(
  fixture: string,
  spec: Partial<Service> = {},
  over: { pids?: number; files?: number } = {},
): Promise<Ran> {
  bench = attemptBench();
  chmodSync(bench.root, 0o711);
  writeFileSync(join(bench.root, "admin.json"), "secret", { mode: 0o600 });
  await prepareWorkFolder(bench.workFolder, ASROOT ? SLOTS_GID : null);
  const script = readFileSync(join(FIXTURES, `${fixture}.sh`), "utf8");
  const resources = { cpu: 500, memory: 128 * MIB, disk: 200 * MIB, ...spec.resources };
  const order = makeOrder({ outputs: [entry("")], variables: { DATA_DIR: bench.root }, ...spec, script, resources });
  const id = `${fixture}-${process.pid}`;
  const job = { ...order.job, id };
  const result = await bench.run(
    sandbox,
    { ...order, job, lease: { ...order.lease, jobId: id } },
    { pids: 200, graceMs: 200, ...over },
  );
  expect(bench.finished).toHaveLength(1);
  expect(readdirSync(bench.workFolder)).toEqual([]);
  if (result.outcome !== "ok") expect(bench.staged).toEqual([]);
  expect(left(id)).toEqual([]);
  return {
    ...result,
    log: bench.logText(),
    outputs: Object.fromEntries(bench.staged.map(({ key, bytes }) => [key, bytes])),
  };
}

/** Processes and mounts that still name the attempt. */
function left(id: string): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const mine = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(`JOB_UUID=${id}`));
  return [...mounts.filter((line) => line.includes(id)), ...mine];
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

describe("a script that", () => {
  it("fails", async () => {
    expect(await run("exits-3")).toMatchObject({
      outcome: "exit",
      exitCode: 3,
      message: "exited with 3; the last line of its log: cannot go on",
    });
  });

  it("is killed", async () => {
    expect(await run("kills-itself")).toMatchObject({ outcome: "signal", message: expect.stringContaining("SIGSEGV") });
  });

  it("runs past its time and ignores SIGTERM", async () => {
    expect(await run("runs-too-long", { timeoutMs: 500 })).toMatchObject({ outcome: "timeout" });
  });

  it("forks 10,000 children", async () => {
    expect(await run("forks", { timeoutMs: 60_000 })).toMatchObject({ outcome: "pids" });
  });

  it("allocates past its memory", async () => {
    const result = await run("eats-memory");
    expect(result.outcome).toBe("memory");
    expect(result.message).toMatch(/^killed at its memory limit of 128Mi.*set memory: 256Mi$/);
  });

  it.each(["fills-disk", "one-big-file"])("fills its disk: %s", async (fixture) => {
    const result = await run(fixture, { timeoutMs: 60_000 });
    expect(result).toMatchObject({ outcome: "disk", message: "stopped at its disk limit of 200Mi: set disk: 400Mi" });
  });

  it("makes too many files", async () => {
    expect(await run("makes-files", { timeoutMs: 60_000 }, { files: 5000 })).toMatchObject({ outcome: "files" });
  });

  it("floods its log: all of it arrives, in order", async () => {
    const lines = 500_000;
    const result = await run("logs-100mb", { variables: { LINES: String(lines) } });
    expect(result.outcome).toBe("ok");
    expect(result.log.length).toBe(26 * lines);
    expect(result.log.slice(-26)).toBe(`line ${String(lines).padStart(20, "0")}\n`);
  });

  it("leaves background processes", async () => {
    const result = await run("leaves-processes");
    expect(result).toMatchObject({ outcome: "ok", outputs: { "ok.txt": "ok\n" } });
    expect(result.log).toMatch(/sluice: .*background process/);
  });

  it("leaves links, devices, FIFOs, sockets and setuid files: the safe part is kept and the rest said", async () => {
    const result = await run("odd-files");
    expect(result.outcome).toBe("ok");
    expect(Object.keys(result.outputs).toSorted()).toEqual(["closed/deep.txt", "safe.txt", "setuid.txt"]);
    expect(result.outputs["closed/deep.txt"]).toBe("deep\n");
    expect(result.log).toMatch(/2 symbolic links \("(link\.txt|up)", "(link\.txt|up)"\)/);
    expect(result.log).toMatch(/1 FIFO \("pipe\.txt"\)/);
    expect(result.log).toMatch(/1 socket \("socket\.txt"\)/);
    const kept = bench.finished[0]?.outputs.map(({ blob }) => statSync(blob.blobId)) ?? [];
    for (const stats of kept) {
      expect(stats.mode & 0o6000).toBe(0);
      expect(stats.uid).toBe(process.geteuid?.());
    }
  });

  it("names an output outside UTF-8", async () => {
    expect(await run("bad-name")).toMatchObject({ outcome: "output_name", exitCode: 0 });
  });

  it("names an output longer than a key", async () => {
    expect(await run("long-key")).toMatchObject({ outcome: "output_name" });
  });

  it("puts links in the place of its folders", async () => {
    const before = readdirSync("/etc").length;
    expect(await run("moves-folders")).toMatchObject({ outcome: "output_invalid" });
    expect(readdirSync("/etc")).toHaveLength(before);
  });

  it("writes to its input", async () => {
    const result = await run("writes-its-input");
    expect(result).toMatchObject({ outcome: "ok", outputs: { "ok.txt": "ok\n" } });
    expect(readFileSync(join(bench.root, "input"))).toEqual(
      readFileSync(join(import.meta.dirname, "testing/attempt-bench.ts")),
    );
  });

  it("looks around sees nothing", async () => {
    const result = await run("looks-around");
    expect(result.outputs).toEqual({ "done.txt": "done\n" });
    expect(existsSync(join(bench.root, "admin.json"))).toBe(true);
  });
});

describe("a script that is ended from outside", () => {
  it("dies, and what it wrote is not published", async () => {
    const running = run("runs-too-long");
    bench.host.started = async () => void setTimeout(() => bench.abort("cancelled"), 100);
    expect(await running).toMatchObject({ outcome: "cancelled" });
  });
});
