import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BLOCK_BYTES } from "../core/object.ts";
import { BlobHash } from "./blob-hash.ts";
import { pourBlob } from "./blob-pour.ts";
import type { BlobSource } from "./blob-reader.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sluice-pour-"));
});

afterEach(() => rmSync(dir, { recursive: true }));

const bytes = (count: number, seed = 7): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, i) => (i * seed + (i >> 8)) & 255));

function blob(name: string, all: Buffer): { path: string; source: BlobSource } {
  const path = join(dir, name);
  writeFileSync(path, all);
  const hash = new BlobHash();
  hash.update(all);
  const { sizeBytes, blockCrc32c } = hash.facts(name);
  return { path, source: { blob: { kind: "file", blobId: name }, sizeBytes, blockCrc32c } };
}

/** A reader that looks at its bytes only when they are about to lose their place. */
async function poured({ path, source }: ReturnType<typeof blob>, start: number, end: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  await pourBlob(path, source, start, end, async (part) => {
    await sleep(2);
    parts.push(Buffer.from(part));
  });
  return Buffer.concat(parts);
}

const openFiles = (): number => readdirSync("/proc/self/fd").length;

it.each([
  [0, 0],
  [0, 1],
  [BLOCK_BYTES - 1, BLOCK_BYTES + 1],
  [BLOCK_BYTES, 2 * BLOCK_BYTES],
  [1, 3 * BLOCK_BYTES + 5],
  [3 * BLOCK_BYTES + 4, 3 * BLOCK_BYTES + 5],
])("passes %d to %d on as they are", async (start, end) => {
  const all = bytes(3 * BLOCK_BYTES + 5);
  const got = await poured(blob("a", all), start, end);
  expect(got.equals(all.subarray(start, end))).toBe(true);
});

it("keeps the bytes of readers at the same time apart", async () => {
  const blobs = [3, 5, 11, 13].map((seed) => bytes(4 * BLOCK_BYTES + seed, seed));
  for (let turn = 0; turn < 2; turn++) {
    const got = await Promise.all(blobs.map((all, n) => poured(blob(`b${n}`, all), 0, all.length)));
    for (const [n, all] of blobs.entries()) expect(got[n]?.equals(all), `reader ${n}`).toBe(true);
  }
});

it("passes on what lies before a damaged block, and nothing of it", async () => {
  const all = bytes(3 * BLOCK_BYTES);
  const { path, source } = blob("c", all);
  all[BLOCK_BYTES + 9] = (all[BLOCK_BYTES + 9] ?? 0) ^ 4;
  chmodSync(path, 0o600);
  writeFileSync(path, all);
  let got = 0;
  const pouring = pourBlob(path, source, 0, all.length, async (part) => {
    got += part.length;
  });
  await expect(pouring).rejects.toMatchObject({ code: "DATA_CORRUPT" });
  expect(got).toBe(BLOCK_BYTES);
});

it("says OBJECT_UNKNOWN for a blob that is gone", async () => {
  const { source } = blob("d", bytes(10));
  const pouring = pourBlob(join(dir, "gone"), source, 0, 10, async () => undefined);
  await expect(pouring).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
});

it("ends with its reader's failure, and leaves that one the block it still holds", async () => {
  const all = bytes(3 * BLOCK_BYTES);
  const { path, source } = blob("e", all);
  const before = openFiles();
  const held: Uint8Array[] = [];
  const pouring = pourBlob(path, source, 0, all.length, async (part) => {
    held.push(part);
    if (held.length === 2) throw new Error("gone");
  });
  await expect(pouring).rejects.toThrow("gone");
  expect(openFiles()).toBe(before);
  await poured(blob("f", bytes(5 * BLOCK_BYTES, 3)), 0, 5 * BLOCK_BYTES);
  expect(Buffer.from(held[1] ?? []).equals(all.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES))).toBe(true);
});
