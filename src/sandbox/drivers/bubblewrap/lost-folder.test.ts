import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { SandboxBench } from "../../testing/sandbox-bench.ts";

test("a work folder that is removed from outside costs its run, not the slot", async () => {
  const bench = await SandboxBench.open("bubblewrap", { uidCount: 1 });
  try {
    const workFolder = bench.workFolder();
    const whileRunning = (): void => rmSync(workFolder, { recursive: true });
    await expect(bench.run("sleep 0.2", { whileRunning }, workFolder)).rejects.toThrow("ENOENT");
    expect(await bench.run("echo well")).toMatchObject({ exitCode: 0, out: "well\n" });
  } finally {
    await bench.close();
  }
});
