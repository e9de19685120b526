/** The polynomial, bits reversed. @see NVM Express NVM Command Set Specification 1.0d, section 5.2.1.3.4 */
const POLYNOMIAL = { high: 0x9a6c9329 | 0, low: 0xac4bc9b5 | 0 } as const;
/** Bytes folded in one step; each has its own table of 256 entries. */
const SLICES = 8;

/** Entry `256 * k + b` is the effect of byte `b` that `k` more bytes follow, in two halves of 32 bits, because JavaScript has no fast 64.
 *  @see Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based CRC Generators", 2005 */
const LOW = new Int32Array(256 * SLICES);
const HIGH = new Int32Array(256 * SLICES);
fillTables();

function fillTables(): void {
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        low ^= POLYNOMIAL.low;
        high ^= POLYNOMIAL.high;
      }
    }
    LOW[byte] = low;
    HIGH[byte] = high;
  }
  for (let at = 256; at < LOW.length; at++) {
    const low = LOW[at - 256] ?? 0;
    const high = HIGH[at - 256] ?? 0;
    LOW[at] = (low >>> 8) ^ (high << 24) ^ (LOW[low & 255] ?? 0);
    HIGH[at] = (high >>> 8) ^ (HIGH[low & 255] ?? 0);
  }
}

/** CRC-64/NVME of bytes that arrive in pieces. */
export class Crc64Nvme {
  #low = -1;
  #high = -1;

  /** Indices stay inside the arrays, so `as number` is true; a check per byte would halve the speed. */
  update(bytes: Uint8Array): void {
    let at = 0;
    for (; at < bytes.length && (bytes.byteOffset + at) % 4 !== 0; at++) this.#byte(bytes[at] as number);
    const words = (bytes.length - at) >>> 3;
    if (words > 0) this.#fold(new Int32Array(bytes.buffer, bytes.byteOffset + at, words * 2));
    for (at += words * 8; at < bytes.length; at++) this.#byte(bytes[at] as number);
  }

  /** The checksum of all bytes so far, 8 bytes big-endian; more may follow. */
  digest(): Buffer {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeInt32BE(~this.#high, 0);
    bytes.writeInt32BE(~this.#low, 4);
    return bytes;
  }

  #byte(byte: number): void {
    const at = (this.#low ^ byte) & 255;
    this.#low = (this.#low >>> 8) ^ (this.#high << 24) ^ (LOW[at] as number);
    this.#high = (this.#high >>> 8) ^ (HIGH[at] as number);
  }

  /** Node runs on little-endian machines only, which this relies on. */
  #fold(words: Int32Array): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < words.length; i += 2) {
      const a = low ^ (words[i] as number);
      const b = high ^ (words[i + 1] as number);
      const a0 = 1792 + (a & 255);
      const a1 = 1536 + ((a >>> 8) & 255);
      const a2 = 1280 + ((a >>> 16) & 255);
      const a3 = 1024 + (a >>> 24);
      const b0 = 768 + (b & 255);
      const b1 = 512 + ((b >>> 8) & 255);
      const b2 = 256 + ((b >>> 16) & 255);
      const b3 = b >>> 24;
      low =
        (LOW[a0] as number) ^
        (LOW[a1] as number) ^
        (LOW[a2] as number) ^
        (LOW[a3] as number) ^
        (LOW[b0] as number) ^
        (LOW[b1] as number) ^
        (LOW[b2] as number) ^
        (LOW[b3] as number);
      high =
        (HIGH[a0] as number) ^
        (HIGH[a1] as number) ^
        (HIGH[a2] as number) ^
        (HIGH[a3] as number) ^
        (HIGH[b0] as number) ^
        (HIGH[b1] as number) ^
        (HIGH[b2] as number) ^
        (HIGH[b3] as number);
    }
    this.#low = low;
    this.#high = high;
  }
}
