import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepareWorkFolder, spreadFolders } from "./work-folder.ts";

const EXT4_MAGIC = 0xef53;
/** On disk, where `tmpdir` may lie in memory. */
const DISK = "/var/tmp";
const knowsTheFlag = statfsSync(DISK).type === EXT4_MAGIC && existsSync("/usr/bin/chattr");

let root: string;
let work: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-work-"));
  work = join(root, "data", "work");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("prepareWorkFolder", () => {
  it("makes a folder that others cannot list", async () => {
    expect(await prepareWorkFolder(work, null)).toBe(0);
    expect(statSync(work).mode & 0o777).toBe(0o700);
  });

  it.runIf(process.getuid?.() === 0)("lets the slots' group walk through as root", async () => {
    await prepareWorkFolder(work, 200_000);
    expect(statSync(work)).toMatchObject({ uid: 0, gid: 200_000 });
    expect(statSync(work).mode & 0o777).toBe(0o710);
  });

  it.runIf(knowsTheFlag)("has folders spread over the disk", async () => {
    const folder = mkdtempSync(join(DISK, "sluice-work-"));
    try {
      await prepareWorkFolder(join(folder, "work"), null);
      const [flags] = execFileSync("lsattr", ["-d", join(folder, "work")], { encoding: "utf8" }).split(" ");
      expect(flags).toContain("T");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("goes on where they cannot be spread", async () => {
    expect(await spreadFolders(join(root, "absent"))).toBe(false);
  });

  it("removes what a killed server left, and nothing that a link leads to", async () => {
    writeFileSync(join(root, "precious"), "");
    mkdirSync(join(work, "a.1/out/closed"), { recursive: true });
    writeFileSync(join(work, "a.1/out/closed/file"), "");
    symlinkSync(root, join(work, "a.1/out/up"));
    execFileSync("chmod", ["000", join(work, "a.1/out/closed")]);
    mkdirSync(join(work, "b.2"));
    expect(await prepareWorkFolder(work, null)).toBe(2);
    expect(readdirSync(work)).toEqual([]);
    expect(readdirSync(root).toSorted()).toEqual(["data", "precious"]);
  });
});
