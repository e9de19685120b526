import { createHash, randomBytes } from "node:crypto";
import { appendFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { beforeEach, describe, expect, it } from "vitest";
import type { UploadedPart } from "../client/s3-multipart.ts";
import { SluiceError } from "../core/errors.ts";
import { testFolder } from "./testing/folder.ts";
import { type PartSender, partBytesOf, uploadInParts } from "./upload-in-parts.ts";
import type { PlannedUpload } from "./upload-plan.ts";

const MIB = 1024 * 1024;
const BYTES = randomBytes(40 * MIB);
const noWait = async (): Promise<void> => {};
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

let file: PlannedUpload;
beforeEach(async () => {
  const path = join(await testFolder(), "f");
  await writeFile(path, BYTES);
  file = { path, key: "k", sizeBytes: BYTES.length };
});

/** A store with one key: what it has of each upload, and which parts it was sent. */
class FakeStore implements PartSender {
  readonly uploads = new Map<string, Map<number, Buffer>>();
  readonly sent: number[] = [];
  completed: Buffer | null = null;
  /** Parts whose next tries fail. */
  readonly failing = new Map<number, SluiceError[]>();
  during: () => Promise<void> = noWait;

  open = async (): Promise<string[]> => [...this.uploads.keys()];
  create = async (): Promise<string> => {
    const id = `upload-${this.uploads.size}`;
    this.uploads.set(id, new Map());
    return id;
  };
  parts = async (id: string): Promise<UploadedPart[]> =>
    [...(this.uploads.get(id) ?? [])].map(([number, bytes]) => ({ number, sizeBytes: bytes.length, etag: md5(bytes) }));
  put = async (id: string, number: number, body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<string> => {
    const bytes = await buffer(body);
    this.sent.push(number);
    await this.during();
    const failure = this.failing.get(number)?.shift();
    if (failure !== undefined) throw failure;
    expect(bytes).toHaveLength(sizeBytes);
    this.uploads.get(id)?.set(number, bytes);
    return md5(bytes);
  };
  complete = async (id: string, parts: readonly UploadedPart[]): Promise<string> => {
    const have = this.uploads.get(id);
    this.completed = Buffer.concat(parts.map(({ number }) => have?.get(number) ?? Buffer.alloc(0)));
    this.uploads.delete(id);
    return `${md5(Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, "hex"))))}-${parts.length}`;
  };
}

describe("partBytesOf", () => {
  it.each([
    [64 * MIB, 16 * MIB],
    [9000 * 16 * MIB, 16 * MIB],
    [9000 * 16 * MIB + 1, 17 * MIB],
    [5 * 1024 ** 4, 583 * MIB],
  ])("cuts %d bytes into parts of %d", (size, expected) => {
    expect(partBytesOf(size)).toBe(expected);
    expect(Math.ceil(size / partBytesOf(size))).toBeLessThanOrEqual(9000);
  });
});

describe("uploadInParts", () => {
  it("sends every part once, and counts its bytes", async () => {
    const store = new FakeStore();
    let counted = 0;
    await uploadInParts(file, store, (count) => {
      counted += count;
    });
    expect(store.completed?.equals(BYTES)).toBe(true);
    expect(store.sent.toSorted()).toEqual([1, 2, 3]);
    expect(counted).toBe(BYTES.length);
  });

  it("sends only what an earlier run did not, or what the file has other bytes of now", async () => {
    const store = new FakeStore();
    store.failing.set(
      3,
      Array.from({ length: 5 }, () => new SluiceError("UNREACHABLE", "cut")),
    );
    await expect(uploadInParts(file, store, () => {}, noWait)).rejects.toThrow("cut");
    store.sent.length = 0;
    const changed = Buffer.concat([randomBytes(5), BYTES.subarray(5)]);
    await writeFile(file.path, changed);
    await uploadInParts(file, store, () => {}, noWait);
    expect(store.sent.toSorted()).toEqual([1, 3]);
    expect(store.completed?.equals(changed)).toBe(true);
    expect(store.uploads.size).toBe(0);
  });

  it("sends a part again after a failure that can pass, and counts it once", async () => {
    const store = new FakeStore();
    store.failing.set(2, [new SluiceError("OVERLOADED", "later"), new SluiceError("BODY_TRUNCATED", "cut")]);
    let counted = 0;
    await uploadInParts(
      file,
      store,
      (count) => {
        counted += count;
      },
      noWait,
    );
    expect(store.sent.filter((number) => number === 2)).toHaveLength(3);
    expect(counted).toBe(BYTES.length);
  });

  it("begins anew when the upload that it found has ended meanwhile", async () => {
    const store = new FakeStore();
    store.open = async () => ["gone"];
    store.parts = async () => {
      throw new SluiceError("UPLOAD_UNKNOWN", "gone");
    };
    await uploadInParts(file, store, () => {}, noWait);
    expect(store.completed?.equals(BYTES)).toBe(true);
  });

  it("notices a store that has other bytes", async () => {
    const store = new FakeStore();
    store.put = async (_id, _number, body) => md5((await buffer(body)).subarray(1));
    await expect(uploadInParts(file, store, () => {}, noWait)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it.each([
    ["grows", () => appendFile(file.path, "more")],
    ["shrinks", () => truncate(file.path, 17 * MIB)],
  ])("does not complete a file that %s while it is read", async (_what, change) => {
    const store = new FakeStore();
    store.during = async () => {
      store.during = noWait;
      await change();
    };
    await expect(uploadInParts(file, store, () => {}, noWait)).rejects.toMatchObject({ code: "USAGE" });
    expect(store.completed).toBeNull();
  });
});
