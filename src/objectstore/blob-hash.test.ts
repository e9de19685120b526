import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../core/object.ts";
import { crc32c } from "../lib/crc32c.ts";
import { BlobHash, blockMatches } from "./blob-hash.ts";

const bytes = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, (_, i) => (i * 31 + (i >> 9)) & 255));

describe("BlobHash", () => {
  it.each([0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 5])(
    "knows size, MD5 and the CRC32C of each block of %d bytes, in pieces of any size",
    (count) => {
      const all = bytes(count);
      for (const step of [count || 1, 70_001, BLOCK_BYTES * 3]) {
        const hash = new BlobHash();
        for (let at = 0; at < count; at += step) hash.update(all.subarray(at, at + step));
        const facts = hash.facts("id");
        expect(facts).toMatchObject({ sizeBytes: count, md5: createHash("md5").update(all).digest("hex") });
        expect(facts.blockCrc32c.length).toBe(4 * Math.ceil(count / BLOCK_BYTES));
        for (let at = 0, index = 0; at < count; at += BLOCK_BYTES, index++) {
          const block = all.subarray(at, at + BLOCK_BYTES);
          expect(Buffer.from(facts.blockCrc32c).readUInt32BE(index * 4)).toBe(crc32c(block));
          expect(blockMatches(block, facts.blockCrc32c, index)).toBe(true);
          expect(blockMatches(block.subarray(1), facts.blockCrc32c, index)).toBe(false);
          expect(blockMatches(block, facts.blockCrc32c, index + 99)).toBe(false);
        }
      }
    },
  );
});
