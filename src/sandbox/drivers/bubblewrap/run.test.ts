import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ROOMY_LIMITS } from "../../testing/sandbox-bench.ts";
import type { LaunchEnd } from "./launcher.ts";
import { Run } from "./run.ts";
import type { Slot } from "./slot.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-run-"));
  writeFileSync(join(folder, "out"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A run whose script ends as it is told, and a way to tell it. */
function startRun(slot: { readonly killAll?: () => void; readonly quiet?: () => void }) {
  const { promise: launched, resolve: end } = Promise.withResolvers<LaunchEnd>();
  const fake = {
    cgroup: null,
    outPath: join(folder, "out"),
    ready: async () => {},
    limit: async () => {},
    start: () => launched,
    wipe: () => {},
    killAll: async () => slot.killAll?.(),
    quiet: async () => {
      slot.quiet?.();
      return 0;
    },
  };
  const run = new Run({
    slot: fake as unknown as Slot,
    limits: ROOMY_LIMITS,
    workFolder: folder,
    exec: { argv: [], env: {}, separateStdout: false, onOutput: () => {} },
    kind: { maps: null, outbound: null },
    args: Buffer.alloc(0),
    runFile: "",
    graceMs: 0,
    takeBack: async () => ({ bytes: 0, files: 0 }),
    explain: () => "",
  });
  return { run, end, result: run.result() };
}

test("a script that can start nothing more just before it is killed counts as killed", async () => {
  const { run, end, result } = startRun({ killAll: () => end({ kind: "exited", code: 2 }) });
  await turn();
  run.stop(0);
  expect(await result).toMatchObject({ exitCode: null, signal: "SIGKILL" });
});

test("a script that had ended when the stop came keeps its code", async () => {
  const { run, end, result } = startRun({ quiet: () => run.stop(0) });
  end({ kind: "exited", code: 2 });
  expect(await result).toMatchObject({ exitCode: 2, signal: null });
});
