import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ImageStore } from "../local-images.ts";
import { sha256 } from "../testing/fake-registry.ts";
import { fakeSource, layerOf } from "../testing/fake-source.ts";
import { endOfTar, file, folder, pax } from "../testing/make-tar.ts";
import { IMAGES_USER, StoreBench } from "./testing/store-bench.ts";

let bench: StoreBench;
let store: ImageStore;
beforeEach(async () => {
  bench = new StoreBench();
  store = await bench.open();
});
afterEach(() => bench.remove());

/** Processes that unpack in the store's folder, which is their working directory. */
function unpackers(): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const isOurs = readlinkSync(`/proc/${pid}/cwd`) === bench.folder;
      return isOurs && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("/unpack.");
    } catch {
      return false;
    }
  });
}

const manyFiles = fakeSource([layerOf(...Array.from({ length: 20_000 }, (_, at) => file(`d${at % 100}/f${at}`, "x")))]);

it("an unpacking process that dies makes the pull fail, which can be tried again", async () => {
  const pull = bench.pull(store, manyFiles);
  const failed = expect(pull).rejects.toMatchObject({
    code: "INTERNAL",
    retryable: true,
    message: expect.stringContaining("SIGKILL"),
  });
  await expect.poll(unpackers, { interval: 5 }).not.toEqual([]);
  for (const pid of unpackers()) process.kill(Number(pid), "SIGKILL");
  await failed;
  expect((await bench.pull(store, fakeSource([layerOf(file("a"))]))).layers.length).toBe(1);
  await store.close();
  expect(bench.leftovers()).toBe(0);
});

it("a pull that is given up ends the process that unpacks", async () => {
  const gaveUp = new AbortController();
  const pull = bench.pull(store, manyFiles, gaveUp.signal);
  const failed = expect(pull).rejects.toThrow("no more");
  await expect.poll(unpackers, { interval: 5 }).not.toEqual([]);
  gaveUp.abort(new Error("no more"));
  await failed;
  await expect.poll(unpackers, { interval: 5 }).toEqual([]);
});

it.runIf(IMAGES_USER !== null)("the process that unpacks has no right of root", async () => {
  const pull = bench.pull(store, manyFiles);
  const rights = (): string[] =>
    unpackers().map((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const lines = [/^Uid:.*$/m, /^Gid:.*$/m, /^Groups:.*$/m, /^CapEff:.*$/m];
      return lines.map((line) => line.exec(status)?.[0].trim().replaceAll("\t", " ")).join("|");
    });
  await expect
    .poll(rights, { interval: 5 })
    .toEqual(["Uid: 200255 200255 200255 200255|Gid: 200000 200000 200000 200000|Groups:|CapEff: 0000000000000000"]);
  await pull;
});

it("a layer of more than a million members is refused", async () => {
  const part = gzipSync(Buffer.concat(Array.from({ length: 20_000 }, () => folder("./"))));
  const bytes = Buffer.concat([...Array.from({ length: 50 }, () => part), gzipSync(folder("./"))]);
  expect(bytes.length).toBeLessThan(10_000_000);
  const pull = bench.pull(store, fakeSource([{ bytes, diffId: sha256("none") }]));
  await expect(pull).rejects.toMatchObject({
    code: "IMAGE_INVALID",
    message: expect.stringContaining("1000000 members"),
  });
});

it("a bomb is refused before it is larger than all images may be", async () => {
  await store.close();
  store = await bench.open({ maxBytes: 1_000_000 });
  const bomb = layerOf(file("zeros", "\0".repeat(30_000_000)));
  expect(bomb.bytes.length).toBeLessThan(100_000);
  await expect(bench.pull(store, fakeSource([bomb]))).rejects.toMatchObject({
    code: "IMAGE_INVALID",
    message: expect.stringContaining("limit"),
  });
});

it("bytes behind the end of an archive count for its digest", async () => {
  const tar = Buffer.concat([file("a"), endOfTar, Buffer.from("more")]);
  expect((await bench.pull(store, fakeSource([{ bytes: gzipSync(tar), diffId: sha256(tar) }]))).layers.length).toBe(1);
  const shorter = sha256(tar.subarray(0, -4));
  const pull = bench.pull(store, fakeSource([{ bytes: gzipSync(tar), diffId: shorter }]));
  await expect(pull).rejects.toMatchObject({ code: "IMAGE_INVALID" });
});

it("a file of 100 GB of holes takes no room", async () => {
  const sizeBytes = 100 * 1024 ** 3;
  const sparse = pax({ "GNU.sparse.size": String(sizeBytes), "GNU.sparse.map": `${sizeBytes},0` });
  const image = await bench.pull(store, fakeSource([layerOf(sparse, file("holes"))]));
  const { size, blocks } = statSync(`${image.layers[0]}/holes`);
  expect([size, blocks * 512 < 100_000, image.sizeBytes < 100_000]).toEqual([sizeBytes, true, true]);
});
