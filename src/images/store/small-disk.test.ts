import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeLayer, fakeSource, layerOf } from "../testing/fake-source.ts";
import { file } from "../testing/make-tar.ts";
import { StoreBench } from "./testing/store-bench.ts";

const MIB = 1024 * 1024;

let bench: StoreBench;
beforeEach(() => {
  bench = new StoreBench();
});

const big = (bytes: number): FakeLayer => layerOf(file("data", randomBytes(bytes / 2).toString("hex")));

/** The folder of the images on a file system of its own. */
function mountSmall(sizeBytes: number): void {
  mkdirSync(bench.folder);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", bench.folder]);
}

const canMount =
  process.getuid?.() === 0 && spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

describe.runIf(canMount)("when the disk is small (skipped where no file system may be mounted)", () => {
  afterEach(async () => {
    await bench.closeAll();
    execFileSync("umount", [bench.folder]);
    await bench.remove();
  });

  it("images go for new ones", async () => {
    mountSmall(6 * MIB);
    const store = await bench.open();
    for (const _ of [1, 2]) (await bench.pull(store, fakeSource([big(2 * MIB)]))).release();
    const last = await bench.pull(store, fakeSource([big(2 * MIB)]));
    expect(store.list().map(({ digest }) => digest)).toContain(last.digest);
    expect(store.list().length).toBeLessThan(3);
  });

  it("a layer that is small as a blob gets what others may go for", async () => {
    mountSmall(6 * MIB);
    const store = await bench.open();
    const old = await bench.pull(store, fakeSource([big(3 * MIB)]));
    old.release();
    const zeros = await bench.pull(store, fakeSource([layerOf(file("zeros", "\0".repeat(4 * MIB)))]));
    expect(store.list().map(({ digest }) => digest)).toEqual([zeros.digest]);
  });

  it("a layer takes nothing of what must stay free", async () => {
    mountSmall(8 * MIB);
    const store = await bench.open({ keepFreeBytes: 6 * MIB });
    const pull = bench.pull(store, fakeSource([layerOf(file("zeros", "\0".repeat(4 * MIB)))]));
    await expect(pull).rejects.toMatchObject({ code: "DISK_FULL" });
  });

  it.each<[string, () => FakeLayer]>([
    ["in a download", () => big(9 * MIB)],
    ["in a large file", () => layerOf(file("zeros", "\0".repeat(6 * MIB)))],
    ["in many small ones", () => layerOf(...Array.from({ length: 2000 }, (_, at) => file(`f${at}`, "x")))],
  ])("a disk that is full %s is said so, and nothing stays behind", async (_what, make) => {
    mountSmall(4 * MIB);
    const store = await bench.open();
    const held = await bench.pull(store, fakeSource([big(1000)]));
    await expect(bench.pull(store, fakeSource([make()]))).rejects.toMatchObject({ code: "DISK_FULL" });
    await store.close();
    expect([bench.leftovers(), bench.paths(held), bench.names("layers").length]).toEqual([0, [["data"]], 1]);
  });
});
