import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readFdlFiles } from "./fdl-files.ts";
import { testFolder } from "./testing/folder.ts";

const service = (name: string, more = ""): string =>
  `functions:\n  oscar:\n  - local:\n      name: ${name}\n      script: run.sh\n${more}`;

describe("readFdlFiles", () => {
  it("reads services with the scripts beside their file", async () => {
    const cwd = await testFolder();
    await mkdir(join(cwd, "sub"));
    await writeFile(join(cwd, "sub/run.sh"), "echo sub");
    await writeFile(join(cwd, "run.sh"), "echo top");
    await writeFile(join(cwd, "a.yaml"), service("one"));
    await writeFile(join(cwd, "sub/b.yaml"), service("two"));
    const services = await readFdlFiles(["a.yaml", "sub/b.yaml"], cwd);
    expect(services.map(({ spec }) => [spec.name, spec.script.trim()])).toEqual([
      ["one", "echo top"],
      ["two", "echo sub"],
    ]);
  });

  it("tells every mistake of every file with its place", async () => {
    const cwd = await testFolder();
    await writeFile(join(cwd, "a.yaml"), service("one", "      memroy: 1Gi\n"));
    await writeFile(join(cwd, "run.sh"), "");
    await mkdir(join(cwd, "sub"));
    await writeFile(join(cwd, "sub/b.yaml"), service("two", "      cpu: lots\n"));
    const failed = readFdlFiles(["a.yaml", "sub/b.yaml"], cwd);
    await expect(failed).rejects.toMatchObject({ code: "FDL_INVALID" });
    const { message } = (await failed.catch((error: Error) => error)) as Error;
    expect(message).toMatch(/a\.yaml:6:7: .*memroy.*\(.*memory/);
    expect(message).toMatch(/sub\/b\.yaml:6:\d+: .*cpu/);
    expect(message).toMatch(/sub\/b\.yaml:5:\d+: .*run\.sh/);
  });

  it("refuses what is no file", async () => {
    const cwd = await testFolder();
    await expect(readFdlFiles(["gone.yaml"], cwd)).rejects.toThrow('Cannot apply "gone.yaml": there is no such file');
    await expect(readFdlFiles(["."], cwd)).rejects.toThrow("it is a folder");
  });

  it("takes a script that is a folder for one that is missing", async () => {
    const cwd = await testFolder();
    await mkdir(join(cwd, "run.sh"));
    await writeFile(join(cwd, "a.yaml"), service("one"));
    await expect(readFdlFiles(["a.yaml"], cwd)).rejects.toMatchObject({ code: "FDL_INVALID" });
  });
});
