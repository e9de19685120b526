import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ImageStore } from "../local-images.ts";
import { sha256 } from "../testing/fake-registry.ts";
import { fakeSource, layerOf } from "../testing/fake-source.ts";
import { endOfTar, file, folder, pax } from "../testing/make-tar.ts";
import type { ImageStoreOptions } from "./image-store.ts";
import { IMAGES_USER, StoreBench } from "./testing/store-bench.ts";

let bench: StoreBench;
let store: ImageStore;
beforeEach(async () => {
  bench = new StoreBench();
  store = await bench.open();
});
afterEach(() => bench.remove());

async function reopened(options: Partial<ImageStoreOptions>): Promise<ImageStore> {
  await store.close();
  return await bench.open(options);
}

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

it("one who claims a layer of others and sends nothing of it holds up nobody else", async () => {
  const base = layerOf(file("base", "bytes"));
  const slow = { ...fakeSource([base]), key: "slow" };
  const never = Promise.withResolvers<void>();
  slow.gate = never.promise;
  slow.blob = async function* (blob, offset, signal) {
    slow.calls.push(`${blob.digest} ${offset}`);
    await Promise.race([never.promise, new Promise((_, reject) => signal.addEventListener("abort", reject))]);
    yield base.bytes;
  };
  const gaveUp = new AbortController();
  const hostile = bench.pull(store, slow, gaveUp.signal).catch((error: unknown) => error);
  await expect.poll(() => slow.calls).toHaveLength(1);
  // The very same image, and another over the same layer.
  const same = await bench.pull(store, { ...fakeSource([base]), key: "own" });
  const more = await bench.pull(store, { ...fakeSource([base, layerOf(file("more"))]), key: "other" });
  expect(more.layers[0]).toBe(same.layers[0]);
  gaveUp.abort(new Error("leaves"));
  expect(await hostile).toMatchObject({ message: "leaves" });
  never.resolve();
  expect(store.list()).toHaveLength(2);
});

it("two sources that make one layer at once make one layer", async () => {
  const base = layerOf(file("base", "bytes"));
  const sources = ["a", "b"].map((key) => ({ ...fakeSource([base]), key }));
  const gate = Promise.withResolvers<void>();
  for (const source of sources) source.gate = gate.promise;
  const pulls = sources.map((source) => bench.pull(store, source));
  await expect.poll(() => bench.names("incoming")).toHaveLength(2);
  gate.resolve();
  const [one, other] = await Promise.all(pulls);
  expect(one?.layers).toEqual(other?.layers);
  expect([store.list().length, bench.names("layers").length]).toEqual([1, 1]);
  for (const held of [one, other]) held?.release();
  await store.prune(new Set());
  expect([bench.names("layers"), bench.leftovers()]).toEqual([[], 0]);
});

it("one who says that a layer is larger than any disk makes no image go", async () => {
  for (const name of ["a", "b"]) (await bench.pull(store, fakeSource([layerOf(file(name))]))).release();
  for (const sizeBytes of [9e15, 9e8]) {
    store = await reopened({ keepFreeBytes: sizeBytes === 9e15 ? 0 : 2 ** 50 });
    const liar = fakeSource([layerOf(file("c"))]);
    const layers = liar.image.layers.map((layer) => ({ ...layer, sizeBytes }));
    liar.manifest = async () => ({ ...liar.image, layers });
    await expect(bench.pull(store, liar)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect([liar.calls, store.list().length]).toEqual([[], 2]);
  }
});

it("a layer whose id begins as that of another is not taken for it", async () => {
  const secret = layerOf(file("secret"));
  (await bench.pull(store, fakeSource([secret]))).release();
  const begins = secret.diffId.slice(0, "sha256:".length + 24).padEnd(secret.diffId.length, "0");
  const thief = fakeSource([{ bytes: layerOf(file("other")).bytes, diffId: begins }]);
  await expect(bench.pull(store, thief)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
});

it("who left before he came begins nothing", async () => {
  const source = fakeSource([layerOf(file("a"))]);
  await expect(bench.pull(store, source, AbortSignal.abort(new Error("left")))).rejects.toThrow("left");
  const { digest } = source.image;
  const asked = { reference: "docker.io/library/test:latest", digest, signal: AbortSignal.abort(new Error("left")) };
  await expect(store.pull(source, asked)).rejects.toThrow("left");
  await store.close();
  await expect(store.pull(source, { ...asked, signal: new AbortController().signal })).rejects.toThrow("stopping");
  expect([source.calls, bench.names("layers")]).toEqual([[], []]);
});

it("thousands of folders in the trash are removed", async () => {
  await store.close();
  for (let at = 0; at < 3000; at++) mkdirSync(`${bench.folder}/trash/${"x".repeat(60)}-${at}`);
  if (IMAGES_USER !== null) execFileSync("chown", ["-R", `${IMAGES_USER.uid}`, `${bench.folder}/trash`]);
  store = await bench.open();
  await expect.poll(() => bench.names("trash").length).toBe(0);
});

it("a server without a descriptor left fails to remove layers, and lives", () => {
  const program = `
    import { openSync } from "node:fs";
    const { StoreBench } = await import(${JSON.stringify(import.meta.resolve("./testing/store-bench.ts"))});
    const { fakeSource, layerOf } = await import(${JSON.stringify(import.meta.resolve("../testing/fake-source.ts"))});
    const { file } = await import(${JSON.stringify(import.meta.resolve("../testing/make-tar.ts"))});
    const bench = new StoreBench();
    const store = await bench.open();
    (await bench.pull(store, fakeSource([layerOf(file("a"))]))).release();
    const taken = [];
    try { for (;;) taken.push(openSync("/dev/null")); } catch {}
    await store.prune(new Set());
    const { closeSync } = await import("node:fs");
    for (const each of taken) closeSync(each);
    await store.prune(new Set());
    console.log("left in the trash: " + bench.names("trash").length);
    await bench.remove();
  `;
  const shell = 'ulimit -n 100; exec "$1" --input-type=module -e "$2"';
  const env = { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR };
  expect(execFileSync("sh", ["-c", shell, "sh", process.execPath, program], { env, encoding: "utf8" })).toBe(
    "left in the trash: 0\n",
  );
});
