import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listOutputs } from "./output-listing.ts";

let folder: string;
let around: string;
beforeEach(() => {
  around = mkdtempSync(join(tmpdir(), "sluice-attempt-"));
  folder = join(around, "out");
  mkdirSync(folder);
});
afterEach(() => rmSync(around, { recursive: true, force: true }));

const names = async (): Promise<string[]> =>
  (await listOutputs(folder, false)).files.map(({ name }) => name).toSorted();

describe("listOutputs", () => {
  it("finds files at any depth with their relative names", async () => {
    mkdirSync(join(folder, "a/b/c"), { recursive: true });
    mkdirSync(join(folder, "empty"));
    for (const name of ["top", "a/one", "a/b/two", "a/b/c/three", "a/b/c/ ü \n.txt"])
      writeFileSync(join(folder, name), name);
    expect(await names()).toEqual(["a/b/c/ ü \n.txt", "a/b/c/three", "a/b/two", "a/one", "top"]);
    const one = (await listOutputs(folder, false)).files.find(({ name }) => name === "a/one");
    expect(one).toEqual({ name: "a/one", isUtf8: true, sizeBytes: 5, isLinked: false });
  });

  it("leaves out links, FIFOs, sockets and devices, and follows nothing", async () => {
    const secret = mkdtempSync(join(tmpdir(), "sluice-secret-"));
    writeFileSync(join(secret, "admin.json"), "secret");
    writeFileSync(join(folder, "good"), "");
    symlinkSync(join(secret, "admin.json"), join(folder, "file-link"));
    symlinkSync(secret, join(folder, "folder-link"));
    symlinkSync("nowhere", join(folder, "broken-link"));
    execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", join(folder, "fifo")]);
    const server = createServer().listen(join(folder, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      const { files, leftOut } = await listOutputs(folder, false);
      expect(files.map(({ name }) => name)).toEqual(["good"]);
      expect([...leftOut].map(([kind, { count }]) => [kind, count]).toSorted()).toEqual([
        ["FIFO", 1],
        ["socket", 1],
        ["symbolic link", 3],
      ]);
    } finally {
      server.close();
      rmSync(secret, { recursive: true });
    }
  });

  it.runIf(process.getuid?.() === 0)("leaves out devices", async () => {
    try {
      execFileSync("sh", ["-c", 'mknod "$1" c 1 3', "sh", join(folder, "null")], { stdio: "ignore" });
    } catch {
      return; // A container may forbid it even to root.
    }
    expect([...(await listOutputs(folder, false)).leftOut.keys()]).toEqual(["device"]);
  });

  it("marks files with several names and names that are not UTF-8", async () => {
    writeFileSync(join(folder, "a"), "x");
    linkSync(join(folder, "a"), join(folder, "b"));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad`), Buffer.from([0xff])]), "x");
    const { files } = await listOutputs(folder, false);
    expect(
      files
        .filter(({ isLinked }) => isLinked)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["a", "b"]);
    expect(files.filter(({ isUtf8 }) => !isUtf8).map(({ name }) => name)).toEqual(["bad\uFFFD"]);
  });

  it("refuses folders whose path fits no key", async () => {
    mkdirSync(join(folder, ...Array.from({ length: 5 }, () => "d".repeat(250))), { recursive: true });
    await expect(listOutputs(folder, false)).rejects.toMatchObject({
      code: "OUTPUT_INVALID",
      details: { reason: "output_name" },
    });
  });

  it.each([
    ["a link", () => symlinkSync("/etc", folder)],
    ["a file", () => writeFileSync(folder, "")],
  ])("refuses %s in place of the folder", async (_, replace) => {
    rmSync(folder, { recursive: true });
    replace();
    for (const lock of [true, false]) {
      await expect(listOutputs(folder, lock)).rejects.toMatchObject({ details: { reason: "output_invalid" } });
    }
    rmSync(folder, { force: true });
    expect(statSync("/etc").mode & 0o777).toBe(0o755);
  });

  it("takes a folder that the script removed for an empty one", async () => {
    rmSync(folder, { recursive: true });
    expect(await listOutputs(folder, true)).toMatchObject({ files: [], isGone: true });
  });

  it("names the first three of what it leaves out", async () => {
    for (let n = 0; n < 5; n += 1) symlinkSync("x", join(folder, `link-${n}`));
    const links = (await listOutputs(folder, false)).leftOut.get("symbolic link");
    expect(links).toMatchObject({ count: 5, examples: { length: 3 } });
  });

  it("closes every folder to others when told so", async () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    execFileSync("chmod", ["-R", "777", around]);
    await listOutputs(folder, false);
    expect(statSync(join(folder, "a/b")).mode & 0o777).toBe(0o777);
    await listOutputs(folder, true);
    for (const name of ["..", "", "a", "a/b"]) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o700);
  });
});
