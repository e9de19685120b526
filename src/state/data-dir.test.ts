import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDataDir } from "./data-dir.ts";
import { refuseNetworkFileSystem } from "./network-file-system.ts";

let root = "";
let dir = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-dir-"));
  dir = join(root, "a", "data");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const asRoot = process.getuid?.() === 0;

describe("a data directory", () => {
  it("is made with its folders, private to the server", async () => {
    const opened = await openDataDir(dir, { slotsGid: null });
    expect([opened.path, opened.blobs, opened.work, opened.logs, join(dir, "db")].map(mode)).toEqual([
      "700",
      "700",
      "700",
      "700",
      "700",
    ]);
    expect(readFileSync(join(dir, "VERSION"), "utf8")).toBe("1\n");
    expect(opened.reserve.path).toBe(join(dir, "reserve"));
    opened.close(true);
  });

  it.runIf(asRoot)("lets the sandboxes' group through, but not look around", async () => {
    const opened = await openDataDir(dir, { slotsGid: 200_000 });
    expect([opened.path, opened.blobs, opened.work].map(mode)).toEqual(["710", "710", "710"]);
    expect(statSync(opened.blobs)).toMatchObject({ uid: 0, gid: 200_000 });
    expect(mode(opened.logs)).toBe("700");
    opened.close(true);
  });

  it("has one identity whatever path leads to it", async () => {
    const first = await openDataDir(dir, { slotsGid: null });
    first.close(true);
    const second = await openDataDir(join(root, "a", "..", "a", "data"), { slotsGid: null });
    expect(second.id).toBe(first.id);
    second.close(true);
  });

  it("knows whether the last process ended in order", async () => {
    const ends: boolean[] = [];
    for (const clean of [true, false, true, true]) {
      const opened = await openDataDir(dir, { slotsGid: null });
      ends.push(opened.unclean);
      writeFileSync(opened.database, "");
      opened.close(clean);
    }
    expect(ends).toEqual([false, false, true, false]);
  });

  it("refuses a folder that holds other files, and leaves its mode alone", async () => {
    const home = join(root, "home");
    mkdirSync(home, { mode: 0o755 });
    writeFileSync(join(home, "thesis.txt"), "");
    await expect(openDataDir(home, { slotsGid: null })).rejects.toMatchObject({
      code: "DATA_DIR_INVALID",
      message: expect.stringMatching(/thesis\.txt.*--data/),
    });
    expect(mode(home)).toBe("755");
    expect(readdirSync(home)).toEqual(["thesis.txt"]);
  });

  it("goes on with one whose first start was cut short", async () => {
    (await openDataDir(dir, { slotsGid: null })).close(false);
    rmSync(join(dir, "VERSION"));
    (await openDataDir(dir, { slotsGid: null })).close(true);
    expect(readFileSync(join(dir, "VERSION"), "utf8")).toBe("1\n");
  });

  it("refuses a newer layout, a damaged version, and a place that is no folder", async () => {
    (await openDataDir(dir, { slotsGid: null })).close(true);
    writeFileSync(join(dir, "VERSION"), "2\n");
    await expect(openDataDir(dir, { slotsGid: null })).rejects.toMatchObject({ code: "DATA_DIR_NEWER" });
    writeFileSync(join(dir, "VERSION"), "x");
    await expect(openDataDir(dir, { slotsGid: null })).rejects.toMatchObject({ code: "DATA_DIR_INVALID" });
    writeFileSync(join(root, "file"), "");
    await expect(openDataDir(join(root, "file"), { slotsGid: null })).rejects.toMatchObject({
      code: "DATA_DIR_INVALID",
    });
    writeFileSync(join(dir, "VERSION"), "1\n");
    (await openDataDir(dir, { slotsGid: null })).close(true);
  });
});

describe("the lock", () => {
  async function otherProcess(): Promise<{ pid: number; kill: () => Promise<void> }> {
    const program = `import { openDataDir } from ${JSON.stringify(join(import.meta.dirname, "data-dir.ts"))};
      await openDataDir(${JSON.stringify(dir)}, { slotsGid: null }); console.log("open"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    return {
      pid: child.pid ?? 0,
      kill: async () => {
        child.kill("SIGKILL");
        await gone;
      },
    };
  }

  it("names the process that has the directory, and is free the moment that one is killed", async () => {
    const other = await otherProcess();
    await expect(openDataDir(dir, { slotsGid: null, waitMs: 200 })).rejects.toMatchObject({
      code: "DATA_DIR_LOCKED",
      message: expect.stringContaining(`process ${other.pid}`),
    });
    const waiting = openDataDir(dir, { slotsGid: null, waitMs: 10_000 });
    await other.kill();
    (await waiting).close(true);
  });
});

describe("network file systems", () => {
  const mounts = () =>
    "20 1 0:1 / / rw - ext4 /dev/a rw\n21 20 0:2 / /mnt/my\\040files rw - fuse.sshfs host: rw\n22 20 0:3 / /mnt/local rw - fuse.ntfs-3g /dev/b rw\n";

  it.each([0x6969, 0xff534d42, 0x00c36400, 0x0bd00bd0, 0x47504653])("refuses type %i, with the way out", (type) => {
    expect(() => refuseNetworkFileSystem("/x", () => type, mounts)).toThrowError(
      expect.objectContaining({ code: "DATA_DIR_NETWORK", message: expect.stringContaining("--data") }),
    );
  });

  it("reads a type that the system gives as a negative number", () => {
    expect(() => refuseNetworkFileSystem("/x", () => 0xff534d42 | 0, mounts)).toThrowError(/CIFS/);
  });

  it("tells FUSE mounts apart by name", () => {
    expect(() => refuseNetworkFileSystem("/mnt/my files/data", () => 0x65735546, mounts)).toThrowError(/fuse\.sshfs/);
    expect(() => refuseNetworkFileSystem("/mnt/local/data", () => 0x65735546, mounts)).not.toThrow();
  });

  it("takes ext4, tmpfs and this machine's", () => {
    for (const type of [0xef53, 0x01021994])
      expect(() => refuseNetworkFileSystem("/x", () => type, mounts)).not.toThrow();
    expect(() => refuseNetworkFileSystem(tmpdir())).not.toThrow();
  });
});
