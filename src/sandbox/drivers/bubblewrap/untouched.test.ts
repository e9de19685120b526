import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxBench } from "../../testing/sandbox-bench.ts";

let bench: SandboxBench;
beforeAll(async () => {
  bench = await SandboxBench.open("bubblewrap");
});
afterAll(() => bench.close());

const NAMES = ["file", "folder"];

/** What is untouched after a script that had `folder`, `file` and `out` in its work folder. */
async function untouchedAfter(script: string): Promise<string[]> {
  const workFolder = bench.workFolder();
  for (const name of ["folder", "out"]) mkdirSync(`${workFolder}/${name}`);
  writeFileSync(`${workFolder}/file`, "text");
  const instance = await bench.sandbox.create(bench.spec(workFolder, { outputFolder: `${workFolder}/out` }));
  const result = await bench.runIn(instance, script).finally(() => instance.destroy());
  // A script that failed says why.
  expect(result, result.out).toMatchObject({ exitCode: 0, limit: null });
  return [...instance.untouched()].toSorted();
}

test.each(["true", "cat file", "ls folder", "echo x >out/new; mkdir out/more"])("nothing: %s", async (script) => {
  // Kernels before 6.13 stamp changes by a coarse clock: there some of them, or all, cannot be told and are seen as touched.
  expect(["", ...NAMES]).toEqual(expect.arrayContaining(await untouchedAfter(script)));
});

test.each([
  ["its bytes", "printf text >file"],
  ["room beyond its end", "fallocate --keep-size --length 1M file"],
  ["its times, set to what they were", "touch -r file ref 2>/dev/null; touch -d @1 file; rm -f ref"],
  ["its rights, and back", "chmod 700 file; chmod 600 file"],
  ["another name, and gone again", "ln file out/link; rm out/link"],
])("a file: %s", async (_, script) => {
  expect(await untouchedAfter(script)).not.toContain("file");
});

test.each([
  ["a file that came and went", "echo x >folder/a; rm folder/a"],
  ["its times", "touch -d @1 folder"],
  ["its rights, and back", "chmod 777 folder; chmod 700 folder"],
])("a folder: %s", async (_, script) => {
  const untouched = await untouchedAfter(script);
  expect(untouched).not.toContain("folder");
});

test.each([
  "echo x >new",
  "mv folder other; mkdir folder",
  `: >"$(printf 'a\\377b')"`,
  "rm -rf folder file out",
  "mv out o",
])("the work folder itself: %s", async (script) => {
  expect(await untouchedAfter(script)).not.toContain("");
});

test("never the output folder, and nothing where there is none", async () => {
  expect(await untouchedAfter("true")).not.toContain("out");
  const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
  await bench.runIn(instance, "true");
  await instance.destroy();
  expect([...instance.untouched()]).toEqual([]);
});
