import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxBench } from "./sandbox-bench.ts";

/** What every driver must do. Each case gives the script for drivers that run one, and the order for the mock. */
export function sandboxContract(driver: Sandbox["driver"], open: () => Promise<SandboxBench>): void {
  describe(driver, () => {
    let bench: SandboxBench;
    beforeAll(async () => {
      bench = await open();
    });
    afterAll(() => bench.close());

    test("reports that it works, with networks and guards", async () => {
      const report = await bench.sandbox.probe();
      expect(report).toMatchObject({ driver, works: true });
      expect(report.networks).toContain("none");
      expect(report.guards.map((guard) => guard.name)).toContain("user-namespaces");
      expect(await bench.sandbox.probe()).toEqual(report);
    });

    test("a script that succeeds", async () => {
      const result = await bench.run("echo done", { mock: { log: "done\n" } });
      expect(result).toMatchObject({ exitCode: 0, signal: null, limit: null, notes: [], out: "done\n" });
      expect(result.usage.wallMs).toBeGreaterThan(0);
    });

    test("a script's own exit code", async () => {
      expect(await bench.run("exit 7", { mock: { exitCode: 7 } })).toMatchObject({
        exitCode: 7,
        signal: null,
        limit: null,
      });
    });

    test("a script that a signal ends", async () => {
      const result = await bench.run("kill -KILL $$", { mock: { signal: "SIGKILL" } });
      expect(result).toMatchObject({ exitCode: null, signal: "SIGKILL", limit: null });
    });

    test("stdout and stderr come in one stream unless they are asked for apart", async () => {
      const script = "echo result; echo note >&2";
      const mock = { log: "result\n", errorLog: "note\n" };
      expect(await bench.run(script, { mock })).toMatchObject({ out: "result\nnote\n", err: "" });
      expect(await bench.run(script, { mock, separateStdout: true })).toMatchObject({ out: "result\n", err: "note\n" });
    });

    test("files written in a writable mount are there afterwards, and belong to the server", async () => {
      const workFolder = bench.workFolder();
      await bench.run("printf text >/work/output", { mock: { files: { output: "text" } } }, workFolder);
      expect(readFileSync(`${workFolder}/output`, "utf8")).toBe("text");
      writeFileSync(`${workFolder}/output`, "the server may write");
    });

    test("the wall clock ends a script, and says so", async () => {
      const result = await bench.run("sleep 60", { mock: { hang: true }, limits: { wallMs: 50 } });
      expect(result).toMatchObject({ exitCode: null, limit: "wall" });
      expect(result.signal).toMatch(/^SIG(TERM|KILL)$/);
    });

    test("stop ends a running script; it is no limit", async () => {
      const result = await bench.run("sleep 60", {
        mock: { hang: true },
        whileRunning: async (instance) => {
          await sleep(50);
          await instance.stop(1_000);
        },
      });
      expect(result).toMatchObject({ exitCode: null, limit: null });
    });

    test("stop after the end does nothing", async () => {
      const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
      await bench.runIn(instance, "true");
      await instance.stop(0);
      await instance.destroy();
    });

    test("destroy ends what runs, and can be called twice", async () => {
      const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
      const running = bench.runIn(instance, "sleep 60", { mock: { hang: true } });
      await sleep(30);
      await Promise.all([instance.destroy(), instance.destroy()]);
      expect(await running).toMatchObject({ exitCode: null, limit: null });
      await instance.destroy();
      await expect(bench.runIn(instance, "true")).rejects.toMatchObject({ code: "INTERNAL" });
    });

    test("one program at a time, one after another", async () => {
      const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
      const first = bench.runIn(instance, "sleep 0.1", { mock: { sleepMs: 100 } });
      await expect(bench.runIn(instance, "true")).rejects.toMatchObject({ code: "INTERNAL" });
      expect((await first).exitCode).toBe(0);
      expect(await bench.runIn(instance, "exit 3", { mock: { exitCode: 3 } })).toMatchObject({ exitCode: 3 });
      expect((await instance.stats()).wallMs).toBeGreaterThan(0);
      await instance.destroy();
    });

    test("ids are unique among the living only", async () => {
      const spec = bench.spec(bench.workFolder());
      const instance = await bench.sandbox.create(spec);
      await expect(bench.sandbox.create(spec)).rejects.toMatchObject({ code: "INTERNAL" });
      await instance.destroy();
      await (await bench.sandbox.create(spec)).destroy();
    });

    test("output waits for its consumer, and comes whole and in order", async () => {
      const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n}\n`).join("");
      let taken = "";
      const result = await bench.run('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done', {
        mock: { log: lines },
        onOutput: async (chunk) => {
          await sleep(1);
          taken += chunk.toString();
        },
      });
      expect(result.exitCode).toBe(0);
      expect(taken).toBe(lines);
    });

    test("a consumer that fails ends the run with its error", async () => {
      const error = new Error("the log is full");
      const run = bench.run("while :; do echo more; done", {
        mock: { log: "more", hang: true },
        onOutput: () => Promise.reject(error),
      });
      await expect(run).rejects.toBe(error);
    });

    test("many side by side keep their output apart", async () => {
      const results = await Promise.all(
        Array.from({ length: 12 }, (_, n) => bench.run(`echo run ${n}`, { mock: { log: `run ${n}\n` } })),
      );
      expect(results.map((result) => result.out)).toEqual(results.map((_, n) => `run ${n}\n`));
    });
  });
}
