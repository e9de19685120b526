import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { BlobHash } from "../blob-hash.ts";
import { BlockJoiner, pieceLengths } from "./block-joiner.ts";

const MIB = 1024 * 1024;

function facts(bytes: Uint8Array, startsAt: number): Uint8Array {
  const hash = new BlobHash(startsAt);
  hash.update(bytes);
  return hash.facts("").blockCrc32c;
}

it.each([
  [[MIB, MIB]],
  [[3 * MIB, 5]],
  [[1, 1, 1]],
  [[MIB - 1, 2, MIB]],
  [[1_500_000, 1_500_000, 700_001]],
  [[0, 5, 0, MIB]],
])("makes the blocks of a file from the pieces of parts of %j bytes", (sizes) => {
  const joiner = new BlockJoiner();
  const all: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    const part = randomBytes(size);
    joiner.add(facts(part, at), size);
    all.push(part);
    at += size;
  }
  const whole = Buffer.concat(all);
  expect(joiner.sizeBytes).toBe(whole.length);
  expect(Buffer.from(joiner.blockCrc32c())).toEqual(Buffer.from(facts(whole, 0)));
});

it("cuts pieces at the borders of blocks", () => {
  expect([...pieceLengths(0, 2 * MIB)]).toEqual([MIB, MIB]);
  expect([...pieceLengths(MIB - 3, MIB + 4)]).toEqual([3, MIB, 1]);
  expect([...pieceLengths(5, 0)]).toEqual([]);
});
