import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeAttemptFolder, removeAttemptFolder } from "./attempt-folder.ts";

let work: string;
let victim: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "sluice-work-"));
  victim = mkdtempSync(join(tmpdir(), "sluice-victim-"));
  writeFileSync(join(victim, "cat.jpg"), "precious");
});
afterEach(() => {
  for (const folder of [work, victim]) rmSync(folder, { recursive: true, force: true });
});

const content = { script: "echo\n", event: "{}" };

describe("makeAttemptFolder", () => {
  it("holds script and event, and four empty folders that nobody else may enter", async () => {
    const { path, output, mounts } = await makeAttemptFolder(work, "job-1.2", content);
    expect(path).toBe(join(work, "job-1.2"));
    expect(readdirSync(path).toSorted()).toEqual(["event.json", "home", "in", "out", "script", "tmp"]);
    expect(readFileSync(join(path, "script"), "utf8")).toBe("echo\n");
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readdirSync(output)).toEqual([]);
    expect(mounts.map(({ source, target }) => [source, target])).toEqual([
      [path, "/sluice"],
      [join(path, "tmp"), "/tmp"],
    ]);
  });

  it.each(["", "..", ".x", "a/b", "a b"])("refuses the id %j", async (id) => {
    await expect(makeAttemptFolder(work, id, content)).rejects.toMatchObject({ code: "INTERNAL" });
    expect(readdirSync(work)).toEqual([]);
  });

  it("replaces what a crash left", async () => {
    const { path } = await makeAttemptFolder(work, "job-1.2", content);
    writeFileSync(join(path, "out", "old"), "");
    await makeAttemptFolder(work, "job-1.2", content);
    expect(readdirSync(join(path, "out"))).toEqual([]);
  });
});

describe("removeAttemptFolder", () => {
  it.each<[string, (path: string) => void]>([
    ["as it was", () => {}],
    ["with an input", (path) => writeFileSync(join(path, "in/cat.jpg"), "")],
    ["with a script that is gone", (path) => rmSync(join(path, "script"))],
    ["full of files", (path) => writeFileSync(join(path, "home/.cache"), "")],
    ["without rights", (path) => chmodSync(path, 0)],
    [
      "with deep folders",
      (path) => mkdirSync(join(path, "tmp", ...Array(300).fill("deeeeeeeeeep")), { recursive: true }),
    ],
    ["with more files beside", (path) => symlinkSync(victim, join(path, "other"))],
    [
      "with a link for a folder",
      (path) => {
        rmSync(join(path, "out"), { recursive: true });
        symlinkSync(victim, join(path, "out"));
      },
    ],
    [
      "with a link for the input's folder",
      (path) => {
        renameSync(join(path, "in"), join(path, "moved"));
        symlinkSync(victim, join(path, "in"));
      },
    ],
  ])("removes one %s, and nothing else", async (_, change) => {
    const { path } = await makeAttemptFolder(work, "job-1.2", content);
    change(path);
    await removeAttemptFolder(path, ["in/cat.jpg"]);
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(join(victim, "cat.jpg"), "utf8")).toBe("precious");
  });

  it("does not mind one that is not there", async () => {
    await removeAttemptFolder(join(work, "none"), []);
  });
});
