import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BLOCK_BYTES, type StagedBlob } from "../core/object.ts";
import type { BlobSource } from "./blob-reader.ts";
import { FileBlobs, type FileBlobsOptions } from "./file-blobs.ts";

// Programs of every Linux system.
const [MOUNT, UNMOUNT, MKFIFO] = ["mount", "umount", "mkfifo"] as const;

const isRoot = process.getuid?.() === 0;
let dir: string;
let opened: FileBlobs[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sluice-blobs-"));
  opened = [];
});

afterEach(async () => {
  for (const blobs of opened) await blobs.close();
  rmSync(dir, { recursive: true });
});

async function open(options: Partial<FileBlobsOptions> = {}): Promise<FileBlobs> {
  const blobs = await FileBlobs.open({
    folder: join(dir, "blobs"),
    slotsGid: null,
    inlineBytes: 0,
    keepFreeBytes: 0,
    ...options,
  });
  opened.push(blobs);
  return blobs;
}

const bytes = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, i) => (i * 7 + (i >> 8)) & 255));

async function* pieces(all: Buffer, step = 50_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.length; at += step) yield all.subarray(at, at + step);
}

const sourceOf = (blob: StagedBlob): BlobSource => ({
  sizeBytes: blob.sizeBytes,
  blockCrc32c: blob.blockCrc32c,
  blob:
    blob.inline === null
      ? { kind: "file", blobId: blob.blobId }
      : { kind: "inline", blobId: blob.blobId, bytes: blob.inline },
});

const pathOf = (blobId: string): string => join(dir, "blobs", blobId.slice(0, 2), blobId);

function filesOnDisk(): string[] {
  return readdirSync(join(dir, "blobs"), { recursive: true, encoding: "utf8" }).filter((name) => name.length > 2);
}

describe("stage and read", () => {
  it.each([0, 1, 50_000, 300_000, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES - 1])(
    "keep %d bytes as they are",
    async (count) => {
      const blobs = await open();
      const all = bytes(count);
      const blob = await blobs.stage(pieces(all));
      expect(blob.sizeBytes).toBe(count);
      // Nothing needs no file.
      if (count === 0) expect(blob.inline).toHaveLength(0);
      else expect(readFileSync(pathOf(blob.blobId)).equals(all)).toBe(true);
      expect((await buffer(blobs.read(sourceOf(blob), 0, count))).equals(all)).toBe(true);
      if (count <= BLOCK_BYTES) expect(Buffer.from(await blobs.readSmall(sourceOf(blob))).equals(all)).toBe(true);
    },
  );

  it.each([false, true])("read any range (inline: %s)", async (inline) => {
    const blobs = await open({ inlineBytes: inline ? 10 * BLOCK_BYTES : 0 });
    const all = bytes(2 * BLOCK_BYTES + 100);
    writeFileSync(join(dir, "out"), all);
    const blob = await blobs.adopt(join(dir, "out"), "copy");
    expect(blob.inline === null).toBe(!inline);
    for (const [start, end] of [
      [0, 0],
      [0, 1],
      [5, 10],
      [BLOCK_BYTES - 1, BLOCK_BYTES + 1],
      [BLOCK_BYTES, 2 * BLOCK_BYTES],
      [1, all.length],
      [all.length - 1, all.length],
    ] as const) {
      const got = await buffer(blobs.read(sourceOf(blob), start, end));
      expect(got.equals(all.subarray(start, end)), `${start}-${end}`).toBe(true);
    }
  });

  it("keep small bodies for the row, in a buffer of their own", async () => {
    const blobs = await open({ inlineBytes: 100 });
    const pool = Buffer.alloc(8192, 1);
    const small = await blobs.stage(Readable.from([pool.subarray(0, 60), pool.subarray(60, 100)]));
    expect(small.inline?.buffer.byteLength).toBe(100);
    expect(small.blockCrc32c.buffer.byteLength).toBe(4);
    const large = await blobs.stage(Readable.from([pool.subarray(0, 101)]));
    expect(large.inline).toBeNull();
    expect(filesOnDisk().length).toBe(1);
  });

  it("say DATA_CORRUPT for a flipped bit, a short file and a longer promise", async () => {
    const blobs = await open();
    const all = bytes(2 * BLOCK_BYTES);
    const blob = await blobs.stage(pieces(all));
    all[BLOCK_BYTES + 77] = (all[BLOCK_BYTES + 77] ?? 0) ^ 1;
    chmodSync(pathOf(blob.blobId), 0o600);
    writeFileSync(pathOf(blob.blobId), all);
    const first = await buffer(blobs.read(sourceOf(blob), 0, BLOCK_BYTES));
    expect(first.length).toBe(BLOCK_BYTES);
    await expect(buffer(blobs.read(sourceOf(blob), BLOCK_BYTES + 100, BLOCK_BYTES + 101))).rejects.toMatchObject({
      code: "DATA_CORRUPT",
    });
    writeFileSync(pathOf(blob.blobId), all.subarray(0, 10));
    await expect(buffer(blobs.read(sourceOf(blob), 0, 5))).rejects.toMatchObject({ code: "DATA_CORRUPT" });
    const inline = await (await open({ inlineBytes: 100 })).stage(Readable.from([bytes(10)]));
    const source = sourceOf(inline);
    inline.inline?.set([99], 3);
    await expect(blobs.readSmall(source)).rejects.toMatchObject({ code: "DATA_CORRUPT" });
  });

  it("say OBJECT_UNKNOWN for a blob that is gone", async () => {
    const blobs = await open();
    const blob = await blobs.stage(pieces(bytes(10)));
    await blobs.discard([blob.blobId, "0".repeat(32)]);
    await expect(buffer(blobs.read(sourceOf(blob), 0, 10))).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    await expect(blobs.readSmall(sourceOf(blob))).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
  });

  it("read one block ahead of its reader at most", async () => {
    const blobs = await open();
    const blob = await blobs.stage(pieces(bytes(5 * BLOCK_BYTES)));
    const reader = blobs.read(sourceOf(blob), 0, blob.sizeBytes);
    await new Promise((resolve) => reader.once("readable", resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reader.readableLength).toBe(BLOCK_BYTES);
    reader.destroy();
  });
});

describe("failures", () => {
  it.each([10, 400_000])("leave nothing behind when the source fails after %d bytes", async (count) => {
    const blobs = await open();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield* pieces(bytes(count));
      throw new Error("gone");
    }
    await expect(blobs.stage(failing())).rejects.toThrow("gone");
    expect(filesOnDisk()).toEqual([]);
  });

  it("refuse before the first byte is taken when the disk has no room for what is announced", async () => {
    const blobs = await open();
    let asked = false;
    async function* watched(): AsyncGenerator<Uint8Array> {
      asked = true;
      yield bytes(1);
    }
    await expect(blobs.stage(watched(), 2 ** 60)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(asked).toBe(false);
  });

  it.runIf(isRoot)("say DISK_FULL when a write finds no room, tell it, and leave nothing", async () => {
    const small = join(dir, "small");
    mkdirSync(small);
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small]);
    try {
      let told = 0;
      const blobs = await open({ folder: join(small, "blobs"), keepFreeBytes: -(2 ** 40), onDiskFull: () => told++ });
      await expect(blobs.stage(pieces(bytes(6 * BLOCK_BYTES)))).rejects.toMatchObject({ code: "DISK_FULL" });
      expect(told).toBeGreaterThan(0);
      expect(
        readdirSync(join(small, "blobs"), { recursive: true, encoding: "utf8" }).filter((name) => name.length > 2),
      ).toEqual([]);
      await blobs.stage(pieces(bytes(BLOCK_BYTES)));
      await blobs.close();
      opened.pop();
    } finally {
      execFileSync(UNMOUNT, [small]);
    }
  });
});

describe("files", () => {
  it("are readable by the server alone, or by the group of the slots too, and writable by nobody", async () => {
    const alone = await (await open()).stage(pieces(bytes(10)));
    expect(statSync(pathOf(alone.blobId)).mode & 0o7777).toBe(0o400);
    if (!isRoot) return;
    const shared = await (await open({ slotsGid: 54_321 })).stage(pieces(bytes(10)));
    const stats = statSync(pathOf(shared.blobId));
    expect(stats.mode & 0o7777).toBe(0o440);
    expect(stats.gid).toBe(54_321);
    expect(statSync(join(dir, "blobs")).mode & 0o007).toBe(0);
  });

  it.runIf(isRoot)(
    "are opened to the slots when their group changes, and folders that are missing are made",
    async () => {
      await open();
      await open({ slotsGid: 54_321 });
      for (const name of ["", "00", "ff"]) {
        const stats = statSync(join(dir, "blobs", name));
        expect([stats.gid, stats.mode & 0o7777]).toEqual([54_321, 0o2710]);
      }
      rmSync(join(dir, "blobs", "7f"), { recursive: true });
      await open({ slotsGid: 54_321 });
      expect(statSync(join(dir, "blobs", "7f")).gid).toBe(54_321);
      // As a restore leaves it: the outer folder is right already, an inner one and its files are not.
      const copied = join(dir, "blobs", "7f", `7f${"0".repeat(30)}`);
      writeFileSync(copied, "x", { mode: 0o400 });
      for (const [path, mode] of [
        [copied, 0o400],
        [join(dir, "blobs", "7f"), 0o700],
      ] as const) {
        chownSync(path, 0, 0);
        chmodSync(path, mode);
      }
      await open({ slotsGid: 54_321 });
      expect(statSync(copied)).toMatchObject({ gid: 54_321, mode: 0o100440 });
      expect(statSync(join(dir, "blobs", "7f")).mode & 0o7777).toBe(0o2710);
    },
  );

  it("have the right mode under a strict umask too", async () => {
    if (!isRoot) return;
    const before = process.umask(0o077);
    try {
      const blob = await (await open({ slotsGid: 54_321 })).stage(pieces(bytes(10)));
      expect(statSync(pathOf(blob.blobId)).mode & 0o7777).toBe(0o440);
    } finally {
      process.umask(before);
    }
  });

  it("are listed, without those of this process until a row was seen to name them", async () => {
    const before = await (await open()).stage(pieces(bytes(10)));
    const blobs = await open();
    const path = join(dir, "output");
    writeFileSync(path, bytes(10));
    const own = [
      await blobs.stage(pieces(bytes(10))),
      await blobs.adopt(path, "copy"),
      await blobs.adopt(path, "move"),
    ];
    const [named = "", ...unnamed] = own.map(({ blobId }) => blobId);
    writeFileSync(join(dir, "blobs", "00", "no-blob"), "");
    const list = async () => (await Array.fromAsync(blobs.list())).flat();
    expect(await list()).toEqual([before.blobId]);
    const asked: string[] = [];
    const unknownOf = async (ids: readonly string[]) => {
      asked.push(...ids);
      return unnamed;
    };
    await blobs.settle(unknownOf);
    expect(asked.toSorted()).toEqual([named, ...unnamed].toSorted());
    expect((await list()).toSorted()).toEqual([before.blobId, named].toSorted());
    await blobs.discard(unnamed);
    asked.length = 0;
    await blobs.settle(unknownOf);
    expect(asked).toEqual([]);
  });
});

describe("adopt", () => {
  const put = (name: string, content: Buffer, mode = 0o644): string => {
    const path = join(dir, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };

  it("moves a file in, with its bytes, and takes every right of others", async () => {
    const blobs = await open();
    const all = bytes(BLOCK_BYTES + 3);
    const path = put("out", all, 0o6777);
    const inode = statSync(path).ino;
    const blob = await blobs.adopt(path, "move");
    expect(existsSync(path)).toBe(false);
    const stats = statSync(pathOf(blob.blobId));
    expect(stats.ino).toBe(inode);
    expect(stats.mode & 0o7777).toBe(0o400);
    expect(stats.uid).toBe(process.getuid?.());
    expect((await buffer(blobs.read(sourceOf(blob), 0, all.length))).equals(all)).toBe(true);
  });

  /** Another file system than that of `dir`, where the machine has one. */
  const elsewhere = ["/dev/shm", "/run"].find(
    (path) => existsSync(path) && statSync(path).dev !== statSync(tmpdir()).dev,
  );

  it.runIf(elsewhere !== undefined)("takes a file of another file system in by its bytes", async () => {
    const folder = mkdtempSync(`${elsewhere}/sluice-adopt-`);
    try {
      const blobs = await open();
      const all = bytes(BLOCK_BYTES + 3);
      writeFileSync(join(folder, "out"), all, { mode: 0o777 });
      const blob = await blobs.adopt(join(folder, "out"), "move");
      expect((await buffer(blobs.read(sourceOf(blob), 0, all.length))).equals(all)).toBe(true);
      expect(statSync(pathOf(blob.blobId))).toMatchObject({ size: all.length, nlink: 1 });
      expect(statSync(pathOf(blob.blobId)).mode & 0o7777).toBe(0o400);
      expect(filesOnDisk()).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("copies a file, which stays", async () => {
    const blobs = await open();
    const path = put("out", bytes(100), 0o4755);
    const blob = await blobs.adopt(path, "copy");
    expect(readFileSync(path).equals(bytes(100))).toBe(true);
    expect(statSync(pathOf(blob.blobId)).mode & 0o7777).toBe(0o400);
    expect(statSync(pathOf(blob.blobId)).ino).not.toBe(statSync(path).ino);
  });

  it("copies a file that has a second name, through which it could still be reached", async () => {
    const blobs = await open();
    const path = put("out", bytes(100));
    linkSync(path, join(dir, "other-name"));
    const blob = await blobs.adopt(path, "move");
    writeFileSync(join(dir, "other-name"), "changed");
    expect(readFileSync(pathOf(blob.blobId)).equals(bytes(100))).toBe(true);
  });

  it("takes a small one into the row", async () => {
    const blobs = await open({ inlineBytes: 100 });
    const blob = await blobs.adopt(put("out", bytes(100)), "move");
    expect(Buffer.from(blob.inline ?? []).equals(bytes(100))).toBe(true);
    expect(filesOnDisk()).toEqual([]);
    const empty = await blobs.adopt(put("empty", bytes(0)), "move");
    expect(empty).toMatchObject({ sizeBytes: 0, md5: "d41d8cd98f00b204e9800998ecf8427e" });
  });

  it("refuses what is no regular file, and leaves it where it is", async () => {
    const blobs = await open();
    put("target", bytes(10));
    symlinkSync(join(dir, "target"), join(dir, "link"));
    execFileSync(MKFIFO, [join(dir, "fifo")]);
    mkdirSync(join(dir, "folder"));
    for (const name of ["link", "fifo", "folder"]) {
      await expect(blobs.adopt(join(dir, name), "move"), name).rejects.toMatchObject({ code: "OUTPUT_INVALID" });
      expect(existsSync(join(dir, name)), name).toBe(true);
    }
    expect(filesOnDisk()).toEqual([]);
  });
});

describe("materialise", () => {
  it("gives the blob's own file, or writes the bytes of a row to the scratch folder", async () => {
    const blobs = await open();
    const file = await blobs.stage(pieces(bytes(10)));
    expect(await blobs.materialise(sourceOf(file), join(dir, "scratch"))).toBe(pathOf(file.blobId));
    const inRow = { ...sourceOf(file), blob: { kind: "inline", blobId: "ab".repeat(16), bytes: bytes(10) } } as const;
    const path = await blobs.materialise(inRow, join(dir, "scratch"));
    expect(path.startsWith(join(dir, "scratch"))).toBe(true);
    expect(readFileSync(path).equals(bytes(10))).toBe(true);
    expect(statSync(path).mode & 0o7777).toBe(0o400);
  });

  it("verifies what was not looked at for a day, and remembers that it did", async () => {
    const blobs = await open();
    const blob = await blobs.stage(pieces(bytes(2 * BLOCK_BYTES + 5)));
    const path = pathOf(blob.blobId);
    const look = () => blobs.materialise(sourceOf(blob), join(dir, "scratch"));
    const damage = (): void => {
      chmodSync(path, 0o600);
      writeFileSync(path, Buffer.concat([bytes(2 * BLOCK_BYTES), Buffer.from("wrong")]));
    };
    const age = (hours: number): void => utimesSync(path, 0, Date.now() / 1000 - hours * 3600);
    age(25);
    expect(await look()).toBe(path);
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(60_000);
    damage();
    age(23);
    expect(await look()).toBe(path);
    for (const hours of [25, -1]) {
      age(hours);
      await expect(look()).rejects.toMatchObject({ code: "DATA_CORRUPT" });
    }
    await blobs.discard([blob.blobId]);
    await expect(look()).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
  });

  it("cannot reach what lies with a provider", async () => {
    const blobs = await open();
    const remote = { kind: "remote", blobId: "x", provider: "p", key: "k" } as const;
    const object = { blob: remote, sizeBytes: 1, blockCrc32c: new Uint8Array(4) };
    await expect(blobs.materialise(object, dir)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
