import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../core/errors.ts";
import type { AttemptHost } from "./attempt-host.ts";
import { type AttemptBench, attemptBench, entry, makeOrder } from "./testing/attempt-bench.ts";
import { type FakeRun, FakeSandbox } from "./testing/fake-sandbox.ts";

const benches: AttemptBench[] = [];
const bench = (over: Partial<AttemptHost> = {}): AttemptBench => {
  const made = attemptBench(over);
  benches.push(made);
  return made;
};
afterEach(() => {
  for (const made of benches.splice(0)) made.remove();
});

/** A script that writes these outputs and exits with 0. */
const writes =
  (files: Record<string, string>) =>
  (run: FakeRun): undefined => {
    for (const [name, text] of Object.entries(files)) {
      const path = run.path(`${run.exec.env.TMP_OUTPUT_DIR}/${name}`);
      mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      writeFileSync(path, text);
    }
  };

describe("a script that does well", () => {
  it("finds script, event and input, and its outputs are finished together", async () => {
    const b = bench();
    const sandbox = new FakeSandbox((run) => {
      expect(run.exec.argv).toEqual(["/bin/sh", "/sluice/script"]);
      expect(readFileSync(run.path("/sluice/script"), "utf8")).toBe("true\n");
      expect(readFileSync(run.path(run.exec.env.EVENT_FILE ?? ""), "utf8")).toBe('{"Records":[]}');
      expect(readFileSync(run.path(run.exec.env.INPUT_FILE_PATH ?? ""))).toEqual(
        readFileSync(`${import.meta.dirname}/testing/attempt-bench.ts`),
      );
      expect(readdirSync(run.path("/sluice/in"))).toEqual(["cat.jpg"]);
      for (const name of ["TMP_OUTPUT_DIR", "TMPDIR", "HOME"]) {
        expect(readdirSync(run.path(run.exec.env[name] ?? ""))).toEqual([]);
      }
      expect(run.spec.mounts.find(({ kind }) => kind === "blob")?.readOnly).toBe(true);
      return writes({ "a.jpg": "A", "deep/b.json": "BB" })(run);
    });
    const result = await b.run(sandbox);
    expect(result).toEqual({
      outcome: "ok",
      message: "",
      exitCode: 0,
      signal: null,
      usage: { wallMs: 12, cpuMs: 8, memoryPeakBytes: 4096, inputBytes: 9, outputBytes: 3, outputFiles: 2 },
    });
    expect(b.finished).toHaveLength(1);
    expect(b.finished[0]?.outputs.map(({ key }) => key).toSorted()).toEqual(["out/a.jpg", "out/deep/b.json"]);
    expect(b.staged.map(({ how, contentType, bytes }) => [how, contentType, bytes])).toEqual([
      ["move", "image/jpeg", "A"],
      ["move", "application/json", "BB"],
    ]);
    expect(sandbox.living.size).toBe(0);
    expect(readdirSync(b.workFolder)).toEqual([]);
  });

  it("gets the service's limits", async () => {
    const b = bench();
    const sandbox = new FakeSandbox(() => undefined);
    await b.run(sandbox, makeOrder({ timeoutMs: 5000, cpuLimit: true, network: "host" }), { pids: 50 });
    expect(sandbox.specs[0]).toMatchObject({
      id: "thumbs-1.1",
      network: "host",
      workingDirectory: "/sluice/home",
      limits: {
        cpuMilli: 500,
        cpuHard: true,
        memoryBytes: 268435456,
        diskBytes: 1073741824,
        wallMs: 5000,
        pids: 50,
        files: 100_000,
      },
    });
  });

  it("has its log in order with our own lines apart", async () => {
    const b = bench();
    const sandbox = new FakeSandbox(async (run) => {
      await run.print("no line end");
      symlinkSync("/etc/passwd", run.path("/sluice/out/link"));
      return { notes: ["3 background processes were killed"] };
    });
    await b.run(sandbox, makeOrder({ script: "#!/opt/none\n" }));
    expect(b.logText()).toBe(
      [
        'sluice: the script asks for "/opt/none", which the image does not have: /bin/sh runs it',
        "no line end",
        "sluice: 3 background processes were killed",
        'sluice: left out of the outputs, as only regular files are kept: 1 symbolic link ("link")',
        "",
      ].join("\n"),
    );
  });

  it("keeps what matches and says once what does not", async () => {
    const b = bench();
    const sandbox = new FakeSandbox(writes({ "a.jpg": "", "b.tmp": "", "c.tmp": "" }));
    await b.run(sandbox, makeOrder({ outputs: [entry("o", { suffixes: [".jpg"] })] }));
    expect(b.finished[0]?.outputs).toHaveLength(1);
    expect(b.logText()).toMatch(
      /^sluice: 2 files in TMP_OUTPUT_DIR not kept, as no output's prefix and suffix filters match them \("[bc].tmp", "[bc].tmp"\)\n$/,
    );
  });

  it("may remove its output folder, and then has none", async () => {
    const b = bench();
    await b.run(
      new FakeSandbox((run) => {
        rmSync(run.path("/sluice/out"), { recursive: true });
        return undefined;
      }),
    );
    expect(b.finished).toMatchObject([{ result: { outcome: "ok" }, outputs: [] }]);
    expect(b.logText()).toBe("sluice: the script removed TMP_OUTPUT_DIR: there are no outputs\n");
  });

  it("shares one blob between two entries", async () => {
    const b = bench();
    await b.run(new FakeSandbox(writes({ a: "A" })), makeOrder({ outputs: [entry("x"), entry("y")] }));
    expect(b.staged).toHaveLength(1);
    const outputs = b.finished[0]?.outputs ?? [];
    expect(outputs.map(({ key }) => key)).toEqual(["x/a", "y/a"]);
    expect(outputs[0]?.blob).toBe(outputs[1]?.blob);
  });

  it("has linked files copied, and everything copied when it had the machine's network", async () => {
    const b = bench();
    const link = (run: FakeRun): undefined => {
      writes({ a: "A", b: "B" })(run);
      linkSync(run.path("/sluice/out/a"), run.path("/tmp/other"));
    };
    await b.run(new FakeSandbox(link));
    expect(Object.fromEntries(b.staged.map(({ key, how }) => [key, how]))).toEqual({
      "out/a": "copy",
      "out/b": "move",
    });
    const h = bench();
    await h.run(new FakeSandbox(writes({ a: "A" })), makeOrder({ network: "host" }));
    expect(h.staged.map(({ how }) => how)).toEqual(["copy"]);
  });

  it("hands very many outputs over in chunks of 1,000", async () => {
    const b = bench();
    const many = Object.fromEntries(Array.from({ length: 1250 }, (_, n) => [`f${n}`, ""]));
    const result = await b.run(new FakeSandbox(writes(many)), makeOrder({ outputs: [entry("x"), entry("y")] }));
    expect(b.chunks).toEqual([1000, 1000]);
    expect(b.finished[0]?.outputs).toHaveLength(500);
    expect(result.usage.outputFiles).toBe(2500);
  });

  it("gets no input when staging in is switched off, or there is none", async () => {
    const b = bench({ input: async () => Promise.reject(new Error("asked for the input")) });
    const sandbox = new FakeSandbox((run) => {
      expect(run.spec.mounts.every(({ kind }) => kind === "folder")).toBe(true);
      return undefined;
    });
    expect((await b.run(sandbox, makeOrder({ skipStageIn: true }))).outcome).toBe("ok");
    expect((await b.run(sandbox, makeOrder({}, { input: null }))).outcome).toBe("ok");
  });

  it("replaces what a crash left of the same attempt", async () => {
    const b = bench();
    mkdirSync(`${b.workFolder}/thumbs-1.1/out`, { recursive: true });
    writeFileSync(`${b.workFolder}/thumbs-1.1/out/old`, "");
    await b.run(new FakeSandbox(writes({ new: "" })));
    expect(b.finished[0]?.outputs.map(({ key }) => key)).toEqual(["out/new"]);
  });
});

describe("a script that fails", () => {
  it.each([
    [{ exitCode: 3 }, "exit"],
    [{ exitCode: null, signal: "SIGKILL", limit: "memory" as const }, "memory"],
    [{ exitCode: null, signal: "SIGKILL", limit: "wall" as const }, "timeout"],
  ])("with %j publishes nothing", async (end, outcome) => {
    const b = bench();
    const sandbox = new FakeSandbox((run) => {
      writes({ a: "half" })(run);
      return end;
    });
    const result = await b.run(sandbox);
    expect(result.outcome).toBe(outcome);
    expect(b.staged).toEqual([]);
    expect(b.finished).toMatchObject([{ outputs: [] }]);
    expect(readdirSync(b.workFolder)).toEqual([]);
  });

  it("has the last line of its log in the message, without secrets", async () => {
    const b = bench();
    const order = makeOrder({ secrets: { KEY: "hunter2" } });
    const sandbox = new FakeSandbox(async (run) => {
      await run.print(`bad key ${run.exec.env.KEY} of ${run.exec.env.OSCAR_SERVICE_TOKEN}\n`);
      return { exitCode: 3 };
    });
    expect((await b.run(sandbox, order)).message).toBe("exited with 3; the last line of its log: bad key *** of ***");
    expect(b.serverLog.join("")).not.toContain("hunter2");
  });

  it.each<[string, (run: FakeRun) => undefined, string]>([
    [
      "a name that is not UTF-8",
      (run) =>
        writeFileSync(Buffer.concat([Buffer.from(run.path("/sluice/out/")), Buffer.from([0xff])]), "") as undefined,
      "output_name",
    ],
    ["a key that is too long", writes({ [`${"d".repeat(250)}/`.repeat(4) + "x".repeat(100)]: "" }), "output_name"],
    [
      "a link for its output folder",
      (run) => {
        rmSync(run.path("/sluice/out"), { recursive: true });
        symlinkSync("/etc", run.path("/sluice/out"));
      },
      "output_invalid",
    ],
  ])("with %s", async (_, script, outcome) => {
    const b = bench();
    const result = await b.run(new FakeSandbox(script));
    expect(result).toMatchObject({ outcome, exitCode: 0 });
    expect(result.message).not.toBe("");
    expect(b.staged).toEqual([]);
    expect(readdirSync(b.workFolder)).toEqual([]);
  });
});

describe("an attempt that is ended from outside", () => {
  it.each(["cancelled", "stopped", "lost"] as const)("while its script runs, as %s, is no success", async (reason) => {
    const b = bench();
    const sandbox = new FakeSandbox(async (run) => {
      writes({ a: "half" })(run);
      b.abort(reason);
      await expect.poll(() => run.stopped.aborted).toBe(true);
      expect(run.stopped.reason).toBe(77);
      return { exitCode: 0 };
    });
    const result = await b.run(sandbox, makeOrder(), { graceMs: 77 });
    expect(result).toMatchObject({ outcome: reason, exitCode: 0 });
    expect(b.staged).toEqual([]);
    expect(sandbox.living.size).toBe(0);
    expect(readdirSync(b.workFolder)).toEqual([]);
  });

  it("before its script starts never starts it", async () => {
    const b = bench();
    b.abort("cancelled");
    const sandbox = new FakeSandbox(() => {
      throw new Error("started");
    });
    expect(await b.run(sandbox)).toMatchObject({ outcome: "cancelled", exitCode: null });
    expect(b.serverLog).toEqual([]);
  });

  it("publishes when the server stops after its work was done, and not when it is cancelled", async () => {
    for (const [reason, outcome, outputs] of [
      ["stopped", "ok", 1],
      ["cancelled", "cancelled", 0],
    ] as const) {
      const b = bench();
      const { stageOutput } = b.host;
      b.host.stageOutput = async (...args) => {
        b.abort(reason);
        return stageOutput(...args);
      };
      expect((await b.run(new FakeSandbox(writes({ a: "A" })))).outcome).toBe(outcome);
      expect(b.finished[0]?.outputs).toHaveLength(outputs);
    }
  });

  it("stops staging very many outputs", async () => {
    const b = bench();
    const { stageOutput } = b.host;
    b.host.stageOutput = async (...args) => {
      b.abort("stopped");
      return stageOutput(...args);
    };
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`f${n}`, ""]));
    expect((await b.run(new FakeSandbox(writes(many)))).outcome).toBe("stopped");
    expect(b.staged).toHaveLength(1000);
  });

  it("is stopped when its lease turns out stale, and dropped without an error", async () => {
    const stale = async (): Promise<never> => Promise.reject(new SluiceError("LEASE_STALE", "another attempt runs"));
    const b = bench({ started: stale });
    const { finish } = b.host;
    b.host.finish = async (result, outputs) => {
      await finish(result, outputs);
      await stale();
    };
    const sandbox = new FakeSandbox(async (run) => {
      await expect.poll(() => run.stopped.aborted).toBe(true);
      return writes({ a: "A" })(run);
    });
    expect((await b.run(sandbox)).outcome).toBe("lost");
    expect(b.finished[0]?.outputs).toEqual([]);
    expect(b.serverLog.join("")).toContain("a superseded attempt was dropped");
  });
});

describe("a fault of this machine", () => {
  const full = new SluiceError("DISK_FULL", "Cannot keep the file: the disk is full");

  it("that lets no sandbox start is infrastructure, with its sentence", async () => {
    const b = bench();
    const sandbox = new FakeSandbox(() => undefined);
    sandbox.createError = new SluiceError("SANDBOX_UNAVAILABLE", "Cannot start a sandbox: bwrap is missing");
    expect(await b.run(sandbox)).toMatchObject({
      outcome: "infrastructure",
      message: "Cannot start a sandbox: bwrap is missing",
    });
    expect(readdirSync(b.workFolder)).toEqual([]);
  });

  it("while the sandbox runs leaves nothing", async () => {
    const b = bench();
    const sandbox = new FakeSandbox(() => {
      throw new SluiceError("SANDBOX_UNAVAILABLE", "Cannot start a sandbox: it broke");
    });
    expect((await b.run(sandbox)).outcome).toBe("infrastructure");
    expect(sandbox.living.size).toBe(0);
    expect(readdirSync(b.workFolder)).toEqual([]);
  });

  it("that is a defect is told to the server's log, not to the user", async () => {
    const b = bench({ input: async () => Promise.reject(new TypeError("undefined is not a function")) });
    const result = await b.run(new FakeSandbox(() => undefined));
    expect(result).toMatchObject({
      outcome: "infrastructure",
      message: "Sluice failed to run it: the server's log says more",
    });
    expect(b.serverLog.join("")).toContain("undefined is not a function");
  });

  it("that is a full disk while outputs are staged is not the script's", async () => {
    const b = bench({ stageOutput: async () => Promise.reject(full) });
    const result = await b.run(new FakeSandbox(writes({ a: "A" })));
    expect(result).toMatchObject({ outcome: "infrastructure", message: full.message, exitCode: 0 });
    expect(b.finished[0]?.outputs).toEqual([]);
  });

  it("that is a full disk under the work folder says so", async () => {
    const b = bench({
      input: async () => Promise.reject(Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" })),
    });
    expect((await b.run(new FakeSandbox(() => undefined))).message).toMatch(/full: free space on it$/);
  });

  it("stages no more files once one failed, and waits for those under way", async () => {
    let underWay = 0;
    const b = bench({
      stageOutput: async () => {
        underWay += 1;
        await new Promise((resolve) => setTimeout(resolve, underWay));
        underWay -= 1;
        throw full;
      },
      finish: async (result) => {
        expect(underWay).toBe(0);
        b.finished.push({ result, outputs: [] });
      },
    });
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`f${n}`, ""]));
    expect((await b.run(new FakeSandbox(writes(many)))).outcome).toBe("infrastructure");
  });

  it("at an optional output leaves it out and says so", async () => {
    const b = bench({ stageOutput: async () => Promise.reject(full) });
    const order = makeOrder({ outputs: [entry("o", { optional: true })] });
    expect((await b.run(new FakeSandbox(writes({ a: "A" })), order)).outcome).toBe("ok");
    expect(b.logText()).toBe(`sluice: an optional output was left out: ${full.message}\n`);
  });

  it("that keeps the start from being noted does not end a running script", async () => {
    const b = bench({ started: async () => Promise.reject(full) });
    expect((await b.run(new FakeSandbox(writes({ a: "A" })), makeOrder(), { noteAfterMs: 0 })).outcome).toBe("ok");
    expect(b.serverLog.join("")).toContain("cannot note that the script runs");
  });

  it("is noted as running only when it runs for a while", async () => {
    const started = vi.fn(async () => {});
    const b = bench({ started });
    const slow = () => new Promise<undefined>((resolve) => setTimeout(resolve, 80, undefined));
    expect((await b.run(new FakeSandbox(writes({ a: "A" })), makeOrder(), { noteAfterMs: 10_000 })).outcome).toBe("ok");
    expect(started).not.toHaveBeenCalled();
    expect((await b.run(new FakeSandbox(slow), makeOrder(), { noteAfterMs: 10 })).outcome).toBe("ok");
    expect(started).toHaveBeenCalledOnce();
  });

  it("at the end is the caller's to know", async () => {
    const b = bench({ finish: async () => Promise.reject(full) });
    await expect(b.run(new FakeSandbox(() => undefined))).rejects.toBe(full);
    expect(existsSync(`${b.workFolder}/thumbs-1.1`)).toBe(false);
  });
});
