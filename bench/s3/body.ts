import { createHash } from "node:crypto";

/** The bytes of every body of that size: they do not compress, and both ends can make them. */
export function bodyOf(bytes: number): Buffer {
  const body = Buffer.allocUnsafe(bytes);
  let state = 0x2545f491;
  const words = Math.floor(bytes / 4);
  for (let word = 0; word < words; word++) {
    // xorshift32: Marsaglia, "Xorshift RNGs", 2003
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    body.writeInt32LE(state, word * 4);
  }
  body.fill(0x78, words * 4);
  return body;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
