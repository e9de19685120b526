import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { State } from "../../state.ts";
import { openSqliteState } from "../sqlite.ts";

/** What is left when the process ends at the worst moment. Each test runs a server's state in a process of its own. */

const BENCH = new URL("../../testing/state-bench.ts", import.meta.url).href;

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-ends-"));
  file = join(folder, "state.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `say` writes a line at once, past all buffers: what was said is known to have been acknowledged. */
function program(body: string): string {
  return `import { writeSync } from "node:fs";
    import { ADMIN, DRIVERS, blob, output, result, service } from ${JSON.stringify(BENCH)};
    // The pipe does not wait while its reader is slow.
    const say = (text) => {
      for (;;) try { return writeSync(1, text + "\\n"); } catch (error) { if (error.code !== "EAGAIN") throw error; }
    };
    const state = await DRIVERS.sqlite(${JSON.stringify(folder)});
    const event = (id) => ({ id, source: "http", time: 0, object: null, rootId: id, parentJobId: null, hops: 0, payload: "x".repeat(700) });
    const call = (id) => state.enqueue({ by: ADMIN, service: "a", event: event(id), body: null, runName: null, priority: 0 });
    const put = (key) => state.commitUpload({ by: ADMIN, bucket: "inbox", key, blob: blob(key), contentType: "", metadata: {}, headers: {},
      checksums: {}, condition: null, lineage: null, at: 1 });
    const lease = async (jobId) => (await state.leaseJobs([{ jobId, worker: "w", grants: { resources: {}, devices: [] } }], Date.now()))[0].lease;
    await state.applyServices(ADMIN, [service("a", "inbox", "out")], "apply");
    ${body}`;
}

function start(body: string, options: { env?: Record<string, string>; limitKiB?: number } = {}): ChildProcess {
  const script = join(folder, "program.mjs");
  writeFileSync(script, program(body));
  const limit = options.limitKiB === undefined ? "" : `ulimit -f ${options.limitKiB};`;
  return spawn("bash", ["-c", `${limit} exec "$@"`, "bash", process.execPath, script], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
}

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** Waits for the end; kills after `killAfter` lines. */
async function endOf(child: ChildProcess, killAfter = Number.POSITIVE_INFINITY): Promise<End> {
  const lines: string[] = [];
  let errors = "";
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  if (child.stdout === null) throw new Error("the child has no output");
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    if (lines.length === killAfter) child.kill("SIGKILL");
  });
  const [code, signal] = await once(child, "close");
  return { code, signal, lines, errors };
}

async function withState<T>(use: (state: State) => Promise<T>): Promise<T> {
  const state = await openSqliteState({ file });
  try {
    return await use(state);
  } finally {
    await state.close();
  }
}

async function jobIds(): Promise<Set<string>> {
  return withState(
    async (state) => new Set((await state.jobs({ owner: null, limit: 100_000 })).jobs.map(({ id }) => id)),
  );
}

const WRITERS = `await Promise.all(Array.from({ length: 16 }, async (_, n) => {
  for (let i = 0; ; i++) say((await call(n + "-" + i)).id);
}));`;

describe("a process that ends", () => {
  it("by kill -9 has kept every job that it acknowledged", async () => {
    const acknowledged: string[] = [];
    for (const killAfter of [1, 200, 700]) {
      const end = await endOf(start(WRITERS), killAfter);
      expect(end.signal, end.errors).toBe("SIGKILL");
      acknowledged.push(...end.lines);
      const kept = await jobIds();
      expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    }
  });

  it("because the database cannot be written says so, and has kept every job that it acknowledged", async () => {
    const end = await endOf(start(WRITERS, { limitKiB: 600 }));
    expect(end.code).toBe(70);
    expect(end.errors).toMatch(
      /^sluice: INTERNAL: Cannot go on: the database could not be written: .*disk I\/O error\n$/,
    );
    const kept = await jobIds();
    expect(end.lines.length).toBeGreaterThan(50);
    expect(end.lines.filter((id) => !kept.has(id))).toEqual([]);
  });
});

describe("a crash point", () => {
  const FINISH = `const { jobIds: [id] } = await put("1");
    const held = await lease(id);
    await state.finishAttempt(held, result("ok"), [output("out/1")], null, 1); say("finished");`;

  async function crashAt(point: string, body: string): Promise<readonly string[]> {
    const end = await endOf(start(body, { env: { SLUICE_CRASH_AT: point } }));
    expect(end.errors).toBe("");
    expect(end.signal).toBe("SIGKILL");
    return end.lines;
  }

  const summary = () =>
    withState(async (state) => {
      const { objects } = await state.listObjects({ bucket: "out", prefix: "", after: "", delimiter: "", limit: 10 });
      const { jobs } = await state.jobs({ owner: null, limit: 10 });
      return { jobs: jobs.map((job) => job.state), outputs: objects.map(({ key }) => key) };
    });

  it.each([
    ["put.committed", { jobs: ["QUEUED"], outputs: [] }],
    ["lease.committed", { jobs: ["RUNNING"], outputs: [] }],
    ["finish.before-commit", { jobs: ["RUNNING"], outputs: [] }],
    ["finish.committed", { jobs: ["SUCCEEDED"], outputs: ["1"] }],
  ])("%s leaves one side of its transaction, and nobody was told", async (point, left) => {
    expect(await crashAt(point, FINISH)).toEqual([]);
    expect(await summary()).toEqual(left);
  });

  it("fan-out.chunk is passed by every chunk, which is done or not", async () => {
    const body = `await state.applyServices(ADMIN, [service("b", "out")], "apply");
      const held = await lease((await put("1")).jobIds[0]);
      await state.stageOutputs(held, ["1", "2", "3"].map((key) => output("out/" + key)));
      await state.finishAttempt(held, result("ok"), [], null, 1);
      while (await state.continueFanOut(1)) say("chunk");`;
    expect(await crashAt("fan-out.chunk:2", body)).toEqual(["chunk"]);
    const before = await summary();
    expect(before.outputs).toEqual(["1", "2", "3"]);
    expect(before.jobs.filter((state) => state === "QUEUED")).toHaveLength(1);
    await withState(async (state) => {
      while (await state.continueFanOut(1));
    });
    expect((await summary()).jobs.toSorted()).toEqual(["QUEUED", "QUEUED", "QUEUED", "SUCCEEDED"]);
  });
});

describe("opening", () => {
  it("fails with the reason, and leaves no thread behind", async () => {
    mkdirSync(file);
    await expect(openSqliteState({ file })).rejects.toMatchObject({ code: "INTERNAL" });
    const end = await endOf(start("say('opened')"));
    expect(end).toMatchObject({ code: 1, lines: [] });
  });
});
