import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { StoredObject } from "../../core/object.ts";
import { createLog } from "../../lib/log.ts";
import type { Completion, MultipartUpload, Part } from "../../state/object-calls.ts";
import { FileBlobs } from "../file-blobs.ts";
import type { FileParts } from "./file-parts.ts";
import type { StagedPart } from "./part-store.ts";

const MIB = 1024 * 1024;

/** The rows that the state would have. */
let upload: MultipartUpload;
let rows: Map<number, Part>;
let folder: string;
let blobs: FileBlobs;
let parts: FileParts;

const STATE = {
  multipartUpload: async () => upload,
  parts: async (uploadId: string) => (uploadId === "u" ? [...rows.values()] : []),
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-parts-"));
  rows = new Map();
  upload = {
    ...{ uploadId: "u", bucket: "b", key: "k", contentType: "", metadata: {}, headers: {}, tags: {}, checksum: null },
    ...{ lineage: null, owner: "ann", initiatedAt: 0, assembly: null, completed: null },
  };
  await open();
});

afterEach(async () => {
  await blobs.close();
  await rm(folder, { recursive: true });
});

async function open(): Promise<void> {
  blobs = await FileBlobs.open({ folder: join(folder, "blobs"), slotsGid: null, keepFreeBytes: 0, inlineBytes: 100 });
  parts = blobs.openParts(STATE, createLog("error"));
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

/** What putPart does. */
function keep(number: number, staged: StagedPart): void {
  const { place, ...facts } = staged;
  if (place.kind === "assembly") upload = { ...upload, assembly: { blobId: place.blobId, partBytes: place.partBytes } };
  const blob: Part["blob"] =
    place.kind === "assembly"
      ? null
      : place.blob.inline === null
        ? { kind: "file", blobId: place.blob.blobId }
        : { kind: "inline", blobId: place.blob.blobId, bytes: place.blob.inline };
  rows.set(number, { ...facts, number, checksums: {}, lastModified: 0, blob });
}

function add(number: number, bytes: Uint8Array): Promise<StagedPart> {
  return parts.addPart(upload, number, pieces(bytes), bytes.length, async (part) => {
    keep(number, part);
    return part;
  });
}

async function complete(numbers: readonly number[]): Promise<Completion["bytes"]> {
  return parts.complete(
    upload,
    (all) => numbers.flatMap((number) => all.find((part) => part.number === number) ?? []),
    async (bytes) => bytes,
  );
}

async function bytesOf(made: Completion["bytes"]): Promise<Buffer> {
  const facts = made.kind === "blob" ? made.blob : made;
  const blobId = made.kind === "blob" ? made.blob.blobId : (upload.assembly?.blobId ?? "");
  const object: Pick<StoredObject, "blob" | "blockCrc32c" | "sizeBytes"> = {
    ...{ blob: { kind: "file", blobId }, blockCrc32c: facts.blockCrc32c, sizeBytes: facts.sizeBytes },
  };
  const read: Uint8Array[] = [];
  for await (const piece of blobs.read(object, 0, facts.sizeBytes)) read.push(piece);
  return Buffer.concat(read);
}

const files = async (): Promise<string[]> => {
  const all = await readdir(join(folder, "blobs"), { recursive: true });
  return all.filter((name) => name.length > 30).map((name) => join(folder, "blobs", name));
};

it.each([
  ["of a whole number of blocks", 5 * MIB],
  ["of any size", 5 * MIB + 12_345],
])("writes parts %s into one file, which becomes the object's without a copy", async (_what, size) => {
  const sent = [randomBytes(size), randomBytes(size), randomBytes(777)];
  await Promise.all([2, 0, 1].map((index) => add(index + 1, sent[index] ?? Buffer.alloc(0))));
  const before = await files();
  const made = await complete([1, 2, 3]);
  expect(made.kind).toBe("assembly");
  expect((await bytesOf(made)).equals(Buffer.concat(sent))).toBe(true);
  expect(await files()).toEqual(before);
  expect(before.filter((file) => file.endsWith(upload.assembly?.blobId ?? "-"))).toHaveLength(1);
  expect((await stat(before.find((file) => file.endsWith(upload.assembly?.blobId ?? "-")) ?? "")).mode & 0o777).toBe(
    0o400,
  );
});

it("says what a part is: size and MD5", async () => {
  const bytes = randomBytes(5 * MIB + 1);
  const staged = await add(1, bytes);
  expect(staged).toMatchObject({ sizeBytes: bytes.length, md5: createHash("md5").update(bytes).digest("hex") });
});

it("keeps the first bytes of a number that is sent again until the second ones are whole, and takes those", async () => {
  const [first, second, third] = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(5 * MIB)];
  await add(1, first);
  await add(2, second);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield randomBytes(MIB);
    throw new Error("cut");
  }
  await expect(parts.addPart(upload, 1, broken(), 5 * MIB, async () => undefined)).rejects.toThrow("cut");
  expect((await bytesOf(await complete([1, 2]))).equals(Buffer.concat([first, second]))).toBe(true);
  await open();
  await add(1, third);
  const made = await complete([1, 2]);
  expect(made.kind).toBe("assembly");
  expect((await bytesOf(made)).equals(Buffer.concat([third, second]))).toBe(true);
});

it("copies together what cannot be joined in place", async () => {
  const [one, two, three] = [randomBytes(5 * MIB), randomBytes(6 * MIB), randomBytes(5 * MIB)];
  await add(1, one);
  await add(2, two);
  await add(3, three);
  const made = await complete([1, 2, 3]);
  expect(made.kind).toBe("blob");
  expect((await bytesOf(made)).equals(Buffer.concat([one, two, three]))).toBe(true);
});

it("leaves parts that are not named out", async () => {
  const [one, two, three] = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(5 * MIB)];
  await add(1, one);
  await add(2, two);
  await add(3, three);
  expect((await bytesOf(await complete([1, 3]))).equals(Buffer.concat([one, three]))).toBe(true);
});

it("cuts off what a failed write left behind the end", async () => {
  const one = randomBytes(5 * MIB);
  await add(1, one);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield randomBytes(2 * MIB);
    throw new Error("cut");
  }
  await expect(parts.addPart(upload, 2, broken(), 5 * MIB, async () => undefined)).rejects.toThrow("cut");
  const made = await complete([1]);
  expect(made.kind).toBe("assembly");
  const [file = ""] = await files();
  expect((await readFile(file)).equals(one)).toBe(true);
});

it("goes on after a restart, and after a completion that failed", async () => {
  const sent = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(9)];
  await add(1, sent[0] ?? Buffer.alloc(0));
  await blobs.close();
  await open();
  await add(2, sent[1] ?? Buffer.alloc(0));
  const refused = parts.complete(
    upload,
    (all) => all,
    () => Promise.reject(new Error("refused")),
  );
  await expect(refused).rejects.toThrow("refused");
  await add(3, sent[2] ?? Buffer.alloc(0));
  const made = await complete([1, 2, 3]);
  expect(made.kind).toBe("assembly");
  expect((await bytesOf(made)).equals(Buffer.concat(sent))).toBe(true);
});

it("refuses a part that is longer or shorter than announced, and writes nothing over its neighbour", async () => {
  const [one, two] = [randomBytes(5 * MIB), randomBytes(5 * MIB)];
  await add(2, two);
  for (const size of [5 * MIB + 1, 5 * MIB - 1]) {
    const wrong = parts.addPart(upload, 1, pieces(randomBytes(size)), 5 * MIB, async () => undefined);
    await expect(wrong).rejects.toMatchObject({ code: "BODY_TRUNCATED" });
  }
  await add(1, one);
  expect((await bytesOf(await complete([1, 2]))).equals(Buffer.concat([one, two]))).toBe(true);
});

it("finds a flipped bit in a part before it becomes an object in another place", async () => {
  await add(1, randomBytes(5 * MIB));
  await add(2, randomBytes(6 * MIB));
  await add(3, randomBytes(5 * MIB));
  const [file = ""] = (await files()).filter((each) => each.endsWith(upload.assembly?.blobId ?? "-"));
  const bytes = await readFile(file);
  bytes[3 * MIB] = (bytes[3 * MIB] ?? 0) ^ 1;
  await writeFile(file, bytes);
  await expect(complete([1, 2, 3])).rejects.toMatchObject({ code: "DATA_CORRUPT" });
});

it("remembers an upload while somebody writes to it, however many others come", async () => {
  const [slow, quick] = [randomBytes(5 * MIB), randomBytes(5 * MIB)];
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  async function* waiting(): AsyncGenerator<Uint8Array> {
    yield slow.subarray(0, MIB);
    arrived.resolve();
    await go.promise;
    yield slow.subarray(MIB);
  }
  const first = parts.addPart(upload, 1, waiting(), slow.length, async (part) => part);
  await arrived.promise;
  for (let other = 0; other < 1100; other++) {
    const tiny = Buffer.from("x");
    await parts.addPart({ ...upload, uploadId: `other-${other}` }, 2, pieces(tiny), 1, async () => undefined);
  }
  // The same place is taken: the second bytes of this number go elsewhere.
  const second = await parts.addPart(upload, 1, pieces(quick), quick.length, async (part) => part);
  expect(second.place.kind).toBe("own");
  go.resolve();
  const written = await first;
  expect(written).toMatchObject({ place: { kind: "assembly" }, md5: createHash("md5").update(slow).digest("hex") });
  keep(1, written);
  expect((await bytesOf(await complete([1]))).equals(slow)).toBe(true);
});

it("lets nothing be added while it completes", async () => {
  await add(1, randomBytes(5 * MIB));
  let during: Promise<unknown> = Promise.resolve();
  await parts.complete(
    upload,
    (all) => all,
    async () => {
      during = add(2, randomBytes(10));
      await expect(during).rejects.toMatchObject({ code: "UPLOAD_UNKNOWN" });
    },
  );
});

it("removes the bytes of a part whose row was refused, and files that no row names", async () => {
  const refuse = (number: number, size: number): Promise<unknown> =>
    parts.addPart(upload, number, pieces(randomBytes(size)), size, () => Promise.reject(new Error("no row")));
  await expect(refuse(7, 1000)).rejects.toThrow("no row");
  expect(await files()).toEqual([]);
  await expect(refuse(1, 5 * MIB)).rejects.toThrow("no row");
  await parts.forget("u");
  expect(await files()).toEqual([]);
  await expect(refuse(1, 5 * MIB)).rejects.toThrow("no row");
  await parts.close();
  expect(await files()).toEqual([]);
});
