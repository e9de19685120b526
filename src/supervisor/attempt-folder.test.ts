import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AttemptFolder } from "./attempt-folder.ts";

let work: string;
let path: string;
let folder: AttemptFolder;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "sluice-work-"));
  path = join(work, "job-1.2");
  folder = AttemptFolder.make(path);
  folder.fill("echo\n", "{}");
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

describe("AttemptFolder", () => {
  it("holds script and event, and four empty folders that nobody else may enter", () => {
    expect(readdirSync(path).toSorted()).toEqual(["event.json", "home", "in", "out", "script", "tmp"]);
    expect(readFileSync(join(path, "script"), "utf8")).toBe("echo\n");
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(folder.output).toBe(join(path, "out"));
    expect(folder.mounts.map(({ source, target, readOnly }) => [source, target, readOnly])).toEqual([
      [path, "/sluice", false],
      [join(path, "tmp"), "/tmp", false],
    ]);
  });

  it("has one place to mount an input on", () => {
    const names: string[][] = [];
    for (const name of ["a.jpg", "a.jpg", "b.jpg", null, "c.jpg"]) {
      folder.setMountPoint(name);
      names.push(readdirSync(join(path, "in")));
    }
    expect(names).toEqual([["a.jpg"], ["a.jpg"], ["b.jpg"], [], ["c.jpg"]]);
  });

  it.each<[string, () => string | null]>([
    ["without an input", () => null],
    [
      "with a blob to mount",
      () => {
        folder.setMountPoint("a.jpg");
        return "/blobs/aa/bb";
      },
    ],
    [
      "with a copy to mount",
      () => {
        folder.setMountPoint("a.jpg");
        writeFileSync(join(path, "input"), "bytes");
        return join(path, "input");
      },
    ],
  ])("knows all that is in it %s", (_, place) => {
    const input = place();
    const found = readdirSync(path, { recursive: true, encoding: "utf8" });
    expect(folder.entries(input).toSorted()).toEqual(found.toSorted());
  });

  it("moves with all that is in it", () => {
    folder.move(join(work, "other"));
    expect(readFileSync(join(work, "other", "script"), "utf8")).toBe("echo\n");
    expect(folder.output).toBe(join(work, "other", "out"));
  });
});

describe("restore", () => {
  const ours = ["", "in", "home", "tmp", "script", "event.json"];
  const all = new Set([...ours, "input"]);
  beforeEach(() => folder.setMountPoint("cat.jpg"));

  it.each<[string, () => void]>([
    ["nothing was done to it", () => {}],
    ["the input's bytes lie beside the script", () => writeFileSync(join(path, "input"), "bytes")],
    ["outputs that went into their rows are left", () => writeFileSync(join(path, "out/small"), "x")],
  ])("is true when %s", (_, change) => {
    change();
    expect(folder.restore(all)).toBe(true);
    expect(readdirSync(join(path, "out"))).toEqual([]);
  });

  it("makes the output folder anew, with nothing that the old one had", () => {
    utimesSync(join(path, "out"), 1, 1);
    chmodSync(join(path, "out"), 0o777);
    expect(folder.restore(all)).toBe(true);
    const { mode, mtimeMs } = statSync(join(path, "out"));
    expect(mode & 0o777).toBe(0o700);
    expect(mtimeMs).toBeGreaterThan(1000);
  });

  it("lets no attempt see the input of the one before", () => {
    writeFileSync(join(path, "input"), "bytes of another job");
    expect(folder.restore(all)).toBe(true);
    folder.dropStale(join(path, "input"));
    expect(readFileSync(join(path, "input"), "utf8")).toBe("bytes of another job");
    expect(folder.restore(all)).toBe(true);
    folder.dropStale("/blobs/aa/bb");
    expect(readdirSync(path)).not.toContain("input");
    expect(folder.restore(all)).toBe(true);
    folder.dropStale(null);
  });

  it.each(ours)("is false when '%s' was touched", (name) => {
    expect(folder.restore(new Set([...all].filter((other) => other !== name)))).toBe(false);
  });

  it.each<[string, () => void]>([
    ["the input's bytes were touched", () => writeFileSync(join(path, "input"), "bytes")],
    ["a folder is left in the outputs", () => mkdirSync(join(path, "out/x"))],
    ["a link is left in the outputs", () => symlinkSync("/etc", join(path, "out/x"))],
    [
      "many outputs are left",
      () => {
        for (let n = 0; n < 17; n += 1) writeFileSync(join(path, `out/${n}`), "");
      },
    ],
    ["it is gone", () => rmSync(path, { recursive: true })],
  ])("is false when %s", (_, change) => {
    change();
    expect(folder.restore(new Set(ours))).toBe(false);
  });
});
