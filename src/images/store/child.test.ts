import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, expect, test } from "vitest";
import { IMAGES_USER } from "./testing/store-bench.ts";

const folder = mkdtempSync(`${tmpdir()}/sluice-child-`);
afterAll(() => rmSync(folder, { recursive: true }));

test("what Node makes of a child's sources is kept in the server's cache, though the child gives up its rights", () => {
  const program = `
    import { readdirSync } from "node:fs";
    import { enableCompileCache, flushCompileCache, getCompileCacheDir } from "node:module";
    enableCompileCache(${JSON.stringify(`${folder}/cache`)});
    const { runChild } = await import(${JSON.stringify(import.meta.resolve("./child.ts"))});
    flushCompileCache();
    const kept = () => readdirSync(getCompileCacheDir()).length;
    const counts = [kept()];
    for (let run = 0; run < 2; run++) {
      const job = { user: ${JSON.stringify(IMAGES_USER)}, folders: [] };
      await runChild({ program: "remove-folders", job, folder: "/", input: null, signal: null });
      counts.push(kept());
    }
    console.log(JSON.stringify(counts));
  `;
  const env = { PATH: process.env.PATH };
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" });
  const [before = 0, first = 0, second = 0] = JSON.parse(said) as number[];
  expect(first).toBeGreaterThan(before);
  expect(second).toBe(first);
});
