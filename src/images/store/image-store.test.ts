import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { removeTree } from "../../lib/remove-tree.ts";
import type { HeldImage } from "../image.ts";
import type { PullProgress } from "../images.ts";
import type { ImageStore } from "../local-images.ts";
import { type FakeSource, fakeSource, layerOf } from "../testing/fake-source.ts";
import { file, folder as folderMember, tarMember } from "../testing/make-tar.ts";
import { type ImageStoreOptions, openImageStore } from "./image-store.ts";

const isRoot = process.geteuid?.() === 0;
const USER = isRoot ? { uid: 199_998, gid: 199_998 } : null;
const MIB = 1024 ** 2;

let folder: string;
let store: ImageStore;
let pinned: Set<string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-store-"));
  pinned = new Set();
  store = await open();
});
afterEach(async () => {
  await store.close();
  await removeTree(folder);
});

const open = (over: Partial<ImageStoreOptions> = {}): Promise<ImageStore> =>
  openImageStore({
    folder: join(folder, "images"),
    user: USER,
    maxBytes: 64 * MIB,
    keepFreeBytes: 0,
    pinned: async () => pinned,
    clock: systemClock,
    log: silentLog,
    ...over,
  });

async function reopen(over: Partial<ImageStoreOptions> = {}): Promise<void> {
  await store.close();
  store = await open(over);
}

const SIGNAL = new AbortController().signal;
const pull = (
  source: FakeSource,
  reference = "tool:1",
  signal = SIGNAL,
  onProgress?: (progress: PullProgress) => void,
): Promise<HeldImage> => store.pull(source, { reference, signal, ...(onProgress === undefined ? {} : { onProgress }) });

const BASE = layerOf(folderMember("etc"), file("etc/base", "base\n"), file("bin/run", "run", 0o755));
const TOP = layerOf(file("etc/top", "top\n"), file("etc/.wh.base"));
const other = (n: number, bytes = 10): ReturnType<typeof layerOf> => layerOf(file(`data-${n}`, "x".repeat(bytes)));

const read = (image: HeldImage, layer: number, path: string): string =>
  readFileSync(`${image.layers[layer]}/${path}`, "utf8");
const inside = (name: string): string[] => readdirSync(join(folder, "images", name));

/** Nothing but whole images. */
function expectClean(): void {
  const unpacking = inside("unpacking").flatMap((session) => inside(join("unpacking", session)));
  expect([inside("incoming"), unpacking, inside("trash")]).toEqual([[], [], []]);
}

describe("a pull", () => {
  it("brings each layer as its difference, lowest first, and tells how it goes on", async () => {
    const told: PullProgress[] = [];
    const source = fakeSource([BASE, TOP]);
    const image = await pull(source, "tool:1", SIGNAL, (progress) => told.push(progress));
    expect(image.digest).toBe(source.image.digest);
    expect([read(image, 0, "etc/base"), read(image, 1, "etc/top")]).toEqual(["base\n", "top\n"]);
    expect(lstatSync(`${image.layers[1]}/etc/base`).isCharacterDevice()).toBe(true);
    expect(existsSync(`${image.layers[1]}/bin`)).toBe(false);
    const bytes = BASE.bytes.length + TOP.bytes.length;
    expect(told.at(-1)).toEqual({ layersDone: 2, layers: 2, bytesDone: bytes, bytes });
    image.release();
    await store.close();
    expectClean();
  });

  it.runIf(isRoot)("gives the files to the images user, whose group may write them", async () => {
    const image = await pull(fakeSource([BASE]));
    const stats = lstatSync(`${image.layers[0]}/bin/run`);
    expect([stats.uid, stats.gid, (stats.mode & 0o7777).toString(8)]).toEqual([USER?.uid, USER?.gid, "775"]);
    expect((lstatSync(join(folder, "images", "layers")).mode & 0o777).toString(8)).toBe("710");
    image.release();
  });

  it("takes what is here already, and a layer that images share once", async () => {
    const [one, two] = [fakeSource([BASE, TOP]), fakeSource([BASE, other(1)])];
    (await pull(one)).release();
    (await pull(one)).release();
    expect(one.calls).toHaveLength(2);
    (await pull(two, "tool:2")).release();
    expect(two.calls).toHaveLength(1);
    expect(inside("layers")).toHaveLength(3);
    const [first, second] = store.list();
    expect(first?.ownBytes).toBeLessThan(first?.sizeBytes ?? 0);
    expect(second?.ownBytes).toBeLessThan(second?.sizeBytes ?? 0);
  });

  it("is one for many callers; one who leaves does not end it for the others", async () => {
    const source = fakeSource([BASE, TOP]);
    const { promise, resolve } = Promise.withResolvers<void>();
    source.gate = promise;
    const leaver = new AbortController();
    const calls = [pull(source), pull(source, "tool:2"), pull(source, "tool:1", leaver.signal)];
    await expect.poll(() => source.calls.length).toBeGreaterThan(0);
    leaver.abort(new Error("gone"));
    await expect(calls[2]).rejects.toThrow("gone");
    resolve();
    const [a, b] = await Promise.all(calls.slice(0, 2));
    expect(source.calls).toHaveLength(2);
    a?.release();
    b?.release();
    expect(store.list()[0]?.references).toEqual(["tool:2", "tool:1"]);
  });

  it("stays one when he leaves who began it", async () => {
    const source = fakeSource([BASE, TOP]);
    const { promise, resolve } = Promise.withResolvers<void>();
    source.gate = promise;
    const leaver = new AbortController();
    const first = pull(source, "tool:1", leaver.signal);
    const second = pull(source);
    await expect.poll(() => source.calls.length).toBe(1);
    leaver.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    const third = pull(source);
    resolve();
    const images = await Promise.all([second, third]);
    expect(source.calls).toHaveLength(2);
    for (const image of images) image.release();
    expect(await store.remove(source.image.digest)).toBeGreaterThan(0);
    expect(inside("layers")).toEqual([]);
  });

  it("is tried from another caller's source when that of the first fails", async () => {
    const [broken, whole, sharing] = [fakeSource([BASE, TOP]), fakeSource([BASE, TOP]), fakeSource([BASE, other(1)])];
    broken.blobs.clear();
    const calls = [pull(broken), pull(whole), pull(sharing, "tool:2")];
    await expect(calls[0]).rejects.toThrow("no such blob");
    for (const image of await Promise.all(calls.slice(1))) image.release();
  });

  it("ends when the last caller leaves, and leaves nothing", async () => {
    const source = fakeSource([BASE]);
    source.gate = new Promise((resolve) => setTimeout(resolve, 50));
    const leaver = new AbortController();
    const call = pull(source, "tool:1", leaver.signal);
    await expect.poll(() => source.calls.length).toBe(1);
    leaver.abort(new Error("gone"));
    await expect(call).rejects.toThrow("gone");
    await expect.poll(() => inside("incoming")).toEqual([]);
    expect(store.list()).toEqual([]);
    source.gate = Promise.resolve();
    (await pull(source)).release();
  });

  it("of images that share a layer makes it once, side by side", async () => {
    const sources = [1, 2, 3, 4].map((n) => fakeSource([BASE, other(n)]));
    const images = await Promise.all(sources.map((source, n) => pull(source, `tool:${n}`)));
    const base = sources
      .flatMap(({ calls }) => calls)
      .filter((call) => call.startsWith(sources[0]?.image.layers[0]?.digest ?? "?"));
    expect(base).toHaveLength(1);
    for (const image of images) image.release();
  });

  it("goes on where a stream broke off", async () => {
    const layer = layerOf(file("data", "y".repeat(100_000) + Math.random()));
    const source = fakeSource([layer]);
    source.diesAfter = Math.ceil(layer.bytes.length / 3);
    (await pull(source)).release();
    expect(source.calls.map((call) => Number(call.split(" ")[1]))).toEqual([0, source.diesAfter, 2 * source.diesAfter]);
  });

  it.each([
    ["bytes that are not those of the digest", (source: FakeSource) => flip(source, 20)],
    ["too few bytes", (source: FakeSource) => change(source, (bytes) => bytes.subarray(0, 10))],
    ["too many bytes", (source: FakeSource) => change(source, (bytes) => Buffer.concat([bytes, bytes]))],
  ])("refuses %s, and leaves nothing", { timeout: 60_000 }, async (_, damage) => {
    const source = fakeSource([BASE, TOP]);
    damage(source);
    await expect(pull(source)).rejects.toMatchObject({
      code: expect.stringMatching(/^(IMAGE_INVALID|REGISTRY_UNREACHABLE)$/),
    });
    expect(store.list()).toEqual([]);
    expect(inside("manifests")).toEqual([]);
    await store.close();
    expectClean();
  });

  it("refuses a source that holds another image than it should", async () => {
    const source = fakeSource([BASE]);
    const options = { reference: "tool:1", digest: `sha256:${"0".repeat(64)}`, signal: SIGNAL };
    await expect(store.pull(source, options)).rejects.toMatchObject({ code: "IMAGE_UNKNOWN" });
    expect(source.calls).toEqual([]);
  });

  it("refuses an archive that is not the one of its config", async () => {
    const source = fakeSource([{ ...BASE, diffId: TOP.diffId }]);
    await expect(pull(source)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining("configuration says"),
    });
  });

  it("refuses a layer that leads out of its folder, with the images user's rights", async () => {
    const evil = layerOf(tarMember("../../../evil", { body: "x" }));
    await expect(pull(fakeSource([evil]))).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    expect(existsSync(join(folder, "evil"))).toBe(false);
  });

  it("keeps layers below a bad one for the next try", async () => {
    const good = fakeSource([BASE, TOP]);
    const bad = fakeSource([BASE, { ...TOP, diffId: BASE.diffId }]);
    await expect(pull(bad)).rejects.toThrow();
    (await pull(good)).release();
    expect(good.calls).toHaveLength(1);
  });
});

describe("what is here", () => {
  it("is there after a restart, with its use", async () => {
    const source = fakeSource([BASE, TOP]);
    (await pull(source)).release();
    const before = store.list();
    await reopen();
    expect(store.list()).toEqual(before);
    const held = store.hold(source.image.digest, "tool:1");
    expect(held?.config).toEqual(source.image.config);
    held?.release();
  });

  it("is removed by its digest, unless it is held; shared layers stay", async () => {
    const [one, two] = [fakeSource([BASE, TOP]), fakeSource([BASE, other(1)])];
    const held = await pull(one);
    (await pull(two)).release();
    await expect(store.remove(one.image.digest)).rejects.toMatchObject({ code: "IMAGE_IN_USE" });
    held.release();
    held.release();
    expect(await store.remove(one.image.digest)).toBeGreaterThan(0);
    expect(inside("layers")).toHaveLength(2);
    await expect(store.remove(one.image.digest)).rejects.toMatchObject({ code: "IMAGE_UNKNOWN" });
    const left = store.hold(two.image.digest, "tool:1");
    expect(left === null ? "" : read(left, 0, "etc/base")).toBe("base\n");
    left?.release();
  });

  it("goes by a prune when nobody holds it and nothing is pinned to it", async () => {
    const sources = [1, 2, 3].map((n) => fakeSource([other(n)]));
    const [first, ...rest] = await Promise.all(sources.map((source) => pull(source)));
    for (const image of rest) image.release();
    const keep = new Set([sources[1]?.image.digest ?? ""]);
    expect(await store.prune(keep)).toBeGreaterThan(0);
    expect(
      store
        .list()
        .map(({ digest }) => digest)
        .toSorted(),
    ).toEqual([first?.digest, ...keep].toSorted());
    first?.release();
  });

  it("makes room: what is used least for its size goes first, never what is held or pinned", async () => {
    await reopen({ maxBytes: 6 * MIB });
    const sources = [0, 1, 2, 3].map((n) => fakeSource([other(n, 1.5 * MIB)]));
    const [a, b, c, d] = sources as [FakeSource, FakeSource, FakeSource, FakeSource];
    const held = await pull(a, "held");
    (await pull(b, "pinned")).release();
    pinned.add(b.image.digest);
    (await pull(c, "idle")).release();
    (await pull(d, "new")).release();
    const big = fakeSource([other(9, 2 * MIB)]);
    (await pull(big, "big")).release();
    const names = store.list().flatMap(({ references }) => references);
    expect(names).toEqual(expect.arrayContaining(["held", "pinned", "big"]));
    expect(names).toHaveLength(3);
    held.release();
  });

  it("refuses an image for which nothing may go, and keeps what is in use", async () => {
    await reopen({ maxBytes: 2 * MIB });
    const held = await pull(fakeSource([other(1, 1.5 * MIB)]), "held");
    await expect(pull(fakeSource([other(2, 1.5 * MIB)]), "new")).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(store.list().map(({ references }) => references[0])).toEqual(["held"]);
    held.release();
  });

  it("says that the disk is full before it is", async () => {
    await reopen({ keepFreeBytes: Number.MAX_SAFE_INTEGER });
    await expect(pull(fakeSource([BASE]))).rejects.toMatchObject({ code: "DISK_FULL" });
    await store.close();
    expectClean();
  });
});

describe("what a killed server left", () => {
  it("is removed: downloads, half-made layers, layers that no image names, images that are not whole", async () => {
    const [one, two] = [fakeSource([BASE]), fakeSource([other(1)])];
    (await pull(one)).release();
    const gone = await pull(two);
    gone.release();
    await store.close();
    const images = join(folder, "images");
    await removeTree(gone.layers[0] ?? "");
    for (const left of [join("layers", "f".repeat(24)), "unpacking/half", "unpacking/half/fs"]) {
      mkdirSync(join(images, left));
      if (USER !== null) chownSync(join(images, left), USER.uid, USER.gid);
    }
    writeFileSync(join(images, "incoming", "half"), "x");
    writeFileSync(join(images, "manifests", `${"0".repeat(64)}.json`), "{");
    writeFileSync(join(images, "usage.json"), "nonsense");
    store = await open();
    expect(store.list().map(({ digest }) => digest)).toEqual([one.image.digest]);
    await store.close();
    expect(inside("layers")).toHaveLength(1);
    expect(inside("manifests")).toHaveLength(1);
    expectClean();
  });
});

function change(source: FakeSource, how: (bytes: Buffer) => Buffer): void {
  for (const [digest, bytes] of source.blobs) source.blobs.set(digest, how(bytes));
}

function flip(source: FakeSource, at: number): void {
  change(source, (bytes) => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  });
}
