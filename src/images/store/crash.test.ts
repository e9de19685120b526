import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runChild } from "./child.ts";
import { threeLayers } from "./testing/pull-once.ts";
import { IMAGES_USER, StoreBench } from "./testing/store-bench.ts";

const PROGRAM = new URL("./testing/pull-once.ts", import.meta.url).pathname;

let bench: StoreBench;
beforeEach(() => {
  bench = new StoreBench();
});
afterEach(() => bench.remove());

describe("a server that is killed in a pull leaves nothing half-made:", () => {
  it.each([
    "image.download",
    "image.download:3",
    "image.download:5",
    "image.unpacked",
    "image.unpacked:3",
    "image.record",
  ])("at %s", async (point) => {
    const options = { folder: bench.folder, user: IMAGES_USER, maxBytes: 1e9, keepFreeBytes: 0 };
    const env = { ...process.env, SLUICE_CRASH_AT: point };
    expect(spawnSync(process.execPath, [PROGRAM, JSON.stringify(options)], { env }).signal).toBe("SIGKILL");
    const store = await bench.open();
    expect([store.list(), bench.names("layers")]).toEqual([[], []]);
    const source = threeLayers();
    const image = await bench.pull(store, source);
    expect(source.calls.length).toBe(3);
    expect(bench.paths(image)).toEqual([
      ["etc", "etc/a", "etc/b"],
      ["etc", "etc/a!", "usr", "usr/c"],
      ["usr", "usr/d"],
    ]);
    await store.close();
    expect(bench.leftovers()).toBe(0);
  });
});

it("a process that unpacks for a server that was killed finds no place to go on in", async () => {
  await bench.open();
  const [session = ""] = bench.names("unpacking");
  expect(session).not.toBe("");
  await bench.closeAll();
  await bench.open();
  const { image, blobs } = threeLayers();
  const [blob] = image.layers;
  const file = `${bench.base}/blob`;
  writeFileSync(file, blobs.get(blob?.digest ?? "") ?? "");
  const input = openSync(file, "r");
  const limits = { maxBytes: 1e9, maxMembers: 100 };
  const job = { user: IMAGES_USER, blob, diffId: image.config.diffIds[0], parents: [], limits };
  const run = (folder: string): Promise<unknown> =>
    runChild({ program: "unpack", job: { ...job, folder }, folder: bench.folder, input, signal: null });
  await expect(run(`unpacking/${session}/layer`)).rejects.toMatchObject({ code: "INTERNAL" });
  expect(bench.leftovers()).toBe(0);
  expect(await run(`unpacking/${bench.names("unpacking")[0]}/layer`)).toMatchObject({ layer: { members: 3 } });
  closeSync(input);
});
