import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { parseCrashAt } from "./crash-point.ts";

const MODULE = new URL("./crash-point.ts", import.meta.url).href;

/** Passes the point three times in a process of its own and says after which passes it still lived. */
function passThrice(crashAt: string | undefined, thread: "main" | "worker" = "main") {
  const body = `const { crashPoint } = await import(${JSON.stringify(MODULE)});
    const { writeSync } = await import("node:fs");
    for (const pass of [1, 2, 3]) { crashPoint("finish.committed"); writeSync(1, String(pass)); }`;
  const script =
    thread === "main"
      ? body
      : `const { Worker } = await import("node:worker_threads");
         new Worker(new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(body)})));`;
  const env = { ...process.env, ...(crashAt === undefined ? {} : { SLUICE_CRASH_AT: crashAt }) };
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { env, encoding: "utf8" });
  return { signal: run.signal, passed: run.stdout };
}

test("a point that is not named lets everything pass", () => {
  expect(passThrice(undefined)).toEqual({ signal: null, passed: "123" });
  expect(passThrice("put.committed")).toEqual({ signal: null, passed: "123" });
});

test("the named point kills at its first pass, or at the pass that the count says", () => {
  expect(passThrice("finish.committed")).toEqual({ signal: "SIGKILL", passed: "" });
  expect(passThrice("finish.committed:3")).toEqual({ signal: "SIGKILL", passed: "12" });
});

test("a point inside a worker thread ends the whole process", () => {
  expect(passThrice("finish.committed:2", "worker")).toEqual({ signal: "SIGKILL", passed: "1" });
});

test("counts that make no sense mean the first pass", () => {
  expect(parseCrashAt("put.committed:0")).toEqual({ name: "put.committed", left: 1 });
  expect(parseCrashAt("put.committed:many")).toEqual({ name: "put.committed", left: 1 });
  expect(parseCrashAt("")).toBeNull();
});
