import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkBlobsFolder,
  checkDataFolder,
  checkOpenFiles,
  checkPrograms,
  fileSystemCheck,
  programVersion,
} from "./machine-checks.ts";
import { testFolder } from "./testing/folder.ts";

describe("programs", () => {
  it("are looked up with their version", async () => {
    expect(await programVersion(process.execPath, "--version")).toBe(process.versions.node);
    expect(await programVersion("no-such-program-of-ours", "--version")).toBeNull();
    expect(await programVersion("false", "--version")).toMatch(/^does not start$/);
  });

  it("are missing only where Sluice itself needs them", async () => {
    const checks = await checkPrograms("bubblewrap", async () => null);
    expect(checks.map(({ name, state }) => [name, state])).toEqual([
      ["node", "good"],
      ["bubblewrap", "missing"],
      ["imagemagick", "weaker"],
      ["ffmpeg", "weaker"],
    ]);
    const withEngine = await checkPrograms("container", async () => null);
    expect(withEngine.map(({ name }) => name)).toEqual(["node", "imagemagick", "ffmpeg"]);
    expect(checks.slice(1).every(({ mend }) => mend.includes("setup.sh"))).toBe(true);
  });
});

describe("open files", () => {
  it.each([
    [99, "missing", "99 at once: a server needs 100"],
    [100, "weaker", "100 at once: fewer clients"],
    [1000, "good", "1000 at once"],
    [Number.POSITIVE_INFINITY, "good", "no limit"],
  ])("up to %i are %s", (limit, state, words) => {
    const check = checkOpenFiles(limit, 100, 1000);
    expect(check).toMatchObject({ state, found: expect.stringContaining(words) });
    expect(check.mend.includes("ulimit -n 1000")).toBe(state !== "good");
  });
});

describe("the data folder", () => {
  it.each([
    [0xef53, "good", "ext4"],
    [0x6969, "missing", "network file system"],
    [0x01021994, "weaker", "gone after a restart"],
    [0x1234567, "good", "type 0x1234567"],
  ])("on file system type %i is %s", (type, state, words) => {
    const check = fileSystemCheck("/data", type);
    expect(check.state).toBe(state);
    expect(check.found).toContain(words);
    expect(check.mend === "").toBe(state === "good");
  });

  it("of the blobs may lie on any file system", async () => {
    const folder = await testFolder();
    expect(await checkBlobsFolder(join(folder, "blobs"))).toMatchObject([
      { name: "blobs-file-system", state: "good", found: expect.stringContaining(`at ${folder}/blobs`) },
    ]);
    expect((await checkBlobsFolder("/proc/1/blobs")).map(({ state }) => state)).toContain("good");
  });

  it("need not exist yet", async () => {
    const folder = await testFolder();
    const [check] = await checkDataFolder(join(folder, "not/yet"));
    expect(check).toMatchObject({ name: "data-file-system", found: expect.stringContaining("not/yet") });
  });
});
