import {
  appendFileSync,
  chmodSync,
  linkSync,
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

  it("moves with all that is in it", () => {
    folder.move(join(work, "other"));
    expect(readFileSync(join(work, "other", "script"), "utf8")).toBe("echo\n");
    expect(folder.output).toBe(join(work, "other", "out"));
  });
});

describe("restore", () => {
  beforeEach(() => folder.setMountPoint("cat.jpg"));

  it.each<[string, () => void]>([
    ["nothing was done to it", () => {}],
    ["the input's bytes lie beside the script", () => writeFileSync(join(path, "input"), "bytes")],
    ["outputs that went into their rows are left", () => writeFileSync(join(path, "out/small"), "x")],
    ["its script was changed, as it is written anew", () => writeFileSync(join(path, "script"), "evil")],
  ])("is true when %s", (_, change) => {
    change();
    expect(folder.restore()).toBe(true);
    expect(readdirSync(join(path, "out"))).toEqual([]);
  });

  it("lets no attempt see the input of the one before", () => {
    writeFileSync(join(path, "input"), "bytes of another job");
    expect(folder.restore()).toBe(true);
    folder.dropStale(join(path, "input"));
    expect(readFileSync(join(path, "input"), "utf8")).toBe("bytes of another job");
    expect(folder.restore()).toBe(true);
    folder.dropStale("/blobs/aa/bb");
    expect(readdirSync(path)).not.toContain("input");
    expect(folder.restore()).toBe(true);
    folder.dropStale(null);
  });

  it.each<[string, () => void]>([
    ["a file is left in HOME", () => writeFileSync(join(path, "home/.profile"), "evil")],
    ["a folder is left in /tmp", () => mkdirSync(join(path, "tmp/x"))],
    ["a folder is left in the outputs", () => mkdirSync(join(path, "out/x"))],
    ["a link is left in the outputs", () => symlinkSync("/etc", join(path, "out/x"))],
    [
      "many outputs are left",
      () => {
        for (let n = 0; n < 17; n += 1) writeFileSync(join(path, `out/${n}`), "");
      },
    ],
    ["there is more beside the input", () => writeFileSync(join(path, "in/more"), "")],
    ["the mount point is another", () => renameSync(join(path, "in/cat.jpg"), join(path, "in/dog.jpg"))],
    ["the mount point holds bytes", () => appendFileSync(join(path, "in/cat.jpg"), "x")],
    [
      "the mount point is a link",
      () => {
        rmSync(join(path, "in/cat.jpg"));
        symlinkSync("/etc/passwd", join(path, "in/cat.jpg"));
      },
    ],
    ["its script is gone", () => rmSync(join(path, "script"))],
    [
      "its script is a link",
      () => {
        rmSync(join(path, "script"));
        symlinkSync("/etc/passwd", join(path, "script"));
      },
    ],
    ["its event has a second name", () => linkSync(join(path, "event.json"), join(path, "input"))],
    [
      "there are two more files",
      () => {
        writeFileSync(join(path, "a"), "");
        writeFileSync(join(path, "b"), "");
      },
    ],
    ["there is one more folder", () => mkdirSync(join(path, "x"))],
    [
      "a folder is a link",
      () => {
        renameSync(join(path, "tmp"), join(path, "x"));
        symlinkSync("x", join(path, "tmp"));
      },
    ],
    [
      "a folder was replaced",
      () => {
        mkdirSync(join(path, "x"));
        rmSync(join(path, "tmp"), { recursive: true });
        renameSync(join(path, "x"), join(path, "tmp"));
      },
    ],
    ["a folder was opened to others", () => chmodSync(join(path, "tmp"), 0o777)],
    ["all of it was opened to others", () => chmodSync(path, 0o711)],
    [
      "a folder has grown, which it keeps",
      () => {
        for (let n = 0; n < 300; n += 1) writeFileSync(join(path, `tmp/${String(n).padStart(100, "x")}`), "");
        for (const name of readdirSync(join(path, "tmp"))) rmSync(join(path, "tmp", name));
      },
    ],
    ["it is gone", () => rmSync(path, { recursive: true })],
  ])("is false when %s", (_, change) => {
    change();
    expect(folder.restore()).toBe(false);
  });

  it.runIf(process.getuid?.() === 0)("is false while a folder is not the server's", async () => {
    const { chownSync } = await import("node:fs");
    chownSync(join(path, "home"), 200_000, 200_000);
    expect(folder.restore()).toBe(false);
  });
});
