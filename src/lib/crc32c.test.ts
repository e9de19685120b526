import { describe, expect, it } from "vitest";
import { Crc32c, crc32c } from "./crc32c.ts";
import { FOLD_FROM_BYTES } from "./crc32c-fold.ts";

const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);

/** One bit at a time, straight from the definition. */
function slow(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  it.each([
    ["nothing", new Uint8Array(0), 0],
    ["123456789", Buffer.from("123456789"), 0xe3069283],
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(255), 0x62a8ab43],
    ["ascending", ascending, 0x46dd794e],
    ["descending", ascending.toReversed(), 0x113fdb5c],
  ])("agrees with the published value of %s", (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it("agrees with the definition at every length and alignment around its step", () => {
    const bytes = Uint8Array.from({ length: 90 }, (_, i) => (i * 37 + 11) & 255);
    for (let from = 0; from < 8; from++) {
      for (let to = from; to <= bytes.length; to++) {
        const part = bytes.subarray(from, to);
        expect(crc32c(part), `${from}-${to}`).toBe(slow(part));
      }
    }
  });

  it("gives the same for pieces as for the whole, wherever it is cut", () => {
    const bytes = Uint8Array.from({ length: 70 }, (_, i) => (i * 91) & 255);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const crc = new Crc32c();
      crc.update(bytes.subarray(0, cut));
      crc.update(bytes.subarray(cut));
      expect(crc.value).toBe(crc32c(bytes));
    }
  });

  it.each([0, 1, 15, 16, 63, 64, 1024, 1968, 1969])(
    "agrees with the definition for long bodies, %i bytes more than some folds",
    (more) => {
      for (const chunks of [1, 2, 3, 9]) {
        const bytes = Uint8Array.from(
          { length: chunks * FOLD_FROM_BYTES + more },
          (_, i) => Math.imul(i, 0x9e3779b1) >>> 13,
        );
        for (const from of [0, 1, 6]) {
          expect(crc32c(bytes.subarray(from)), `${chunks} folds from ${from}`).toBe(slow(bytes.subarray(from)));
        }
      }
    },
  );

  it("goes on behind a long piece with its register, and sees a flipped bit wherever it lies", () => {
    const bytes = new Uint8Array(2 * FOLD_FROM_BYTES + 7).fill(0x5a);
    const crc = new Crc32c();
    crc.update(bytes.subarray(0, 9));
    crc.update(bytes.subarray(9, 9 + FOLD_FROM_BYTES));
    crc.update(bytes.subarray(9 + FOLD_FROM_BYTES));
    expect(crc.value).toBe(slow(bytes));
    for (let at = 0; at < bytes.length; at += 509) {
      bytes[at] = 0x5b;
      expect(crc32c(bytes), `byte ${at}`).not.toBe(crc.value);
      bytes[at] = 0x5a;
    }
  });

  it("starts anew after reset", () => {
    const crc = new Crc32c();
    crc.update(ascending);
    crc.reset();
    expect(crc.value).toBe(0);
    crc.update(ascending);
    expect(crc.value).toBe(0x46dd794e);
  });
});
