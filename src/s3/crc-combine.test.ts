import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { crc32c } from "../lib/crc32c.ts";
import { createChecksum } from "./checksums.ts";
import { combineCrc, combineCrc32c, isCrc } from "./crc-combine.ts";

const digestOf = (algorithm: string, bytes: Uint8Array): Buffer => {
  const hasher = createChecksum(algorithm);
  hasher.update(bytes);
  return hasher.digest();
};

const SIZES = [
  [0, 0],
  [0, 9],
  [9, 0],
  [1, 1],
  [4, 5],
  [1000, 1],
  [1, 1_000_003],
  [65_536, 131_072],
];

describe.each(["crc32", "crc32c", "crc64nvme"])("%s", (algorithm) => {
  it.each(SIZES)("of %d and %d bytes is that of all of them", (first, second) => {
    const [a, b] = [randomBytes(first ?? 0), randomBytes(second ?? 0)];
    if (!isCrc(algorithm)) throw new Error("a CRC");
    const combined = combineCrc(algorithm, digestOf(algorithm, a), digestOf(algorithm, b), b.length);
    expect(combined).toEqual(digestOf(algorithm, Buffer.concat([a, b])));
  });
});

it("combines CRC32C as numbers", () => {
  const [a, b] = [randomBytes(77), randomBytes(5000)];
  expect(combineCrc32c(crc32c(a), crc32c(b), b.length)).toBe(crc32c(Buffer.concat([a, b])));
});

it.each(["sha1", "sha256", "toString"])("does not take %s for a CRC", (name) => {
  expect(isCrc(name)).toBe(false);
});
