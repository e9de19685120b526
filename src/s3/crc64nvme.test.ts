import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { Crc64Nvme } from "./crc64nvme.ts";

const crc = (bytes: Uint8Array): string => {
  const hasher = new Crc64Nvme();
  hasher.update(bytes);
  return hasher.digest().toString("hex");
};

/** Bit by bit, as the specification says it. */
function slow(bytes: Uint8Array): string {
  let state = 0xffff_ffff_ffff_ffffn;
  for (const byte of bytes) {
    state ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) state = state & 1n ? (state >> 1n) ^ 0x9a6c9329ac4bc9b5n : state >> 1n;
  }
  return (state ^ 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, "0");
}

it("gives the check value of the catalogue of CRCs", () => {
  expect(crc(Buffer.from("123456789"))).toBe("ae8b14860a799888");
  expect(crc(Buffer.alloc(0))).toBe("0000000000000000");
});

it.each([1, 7, 8, 15, 16, 17, 63, 64, 1000, 4099, 16_384, 33_000])(
  "is right for %d bytes, wherever they lie in memory",
  (size) => {
    const memory = randomBytes(size + 8);
    for (let offset = 0; offset < 8; offset++) {
      const bytes = memory.subarray(offset, offset + size);
      expect(crc(bytes)).toBe(slow(bytes));
    }
  },
);

it("is the same in pieces", () => {
  const bytes = randomBytes(10_000);
  const hasher = new Crc64Nvme();
  for (const cut of [0, 1, 13, 800, 801, 5000]) {
    const ends = [0, 1, 13, 800, 801, 5000, 10_000];
    hasher.update(bytes.subarray(cut, ends[ends.indexOf(cut) + 1]));
  }
  expect(hasher.digest().toString("hex")).toBe(crc(bytes));
});
