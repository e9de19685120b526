import { CrcFold, FOLD_FROM_BYTES } from "./crc32c-fold.ts";

/** The Castagnoli polynomial, bits reversed. @see RFC 3720, section 12.1 */
const POLYNOMIAL = 0x82f63b78;
/** Bytes folded in one step; each has its own table of 256 words. */
const SLICES = 16;

/** `TABLES[256 * k + b]` is the effect of byte `b` that `k` more bytes follow.
 *  @see Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based CRC Generators", 2005 */
const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let word = byte;
    for (let bit = 0; bit < 8; bit++) word = word & 1 ? (word >>> 1) ^ POLYNOMIAL : word >>> 1;
    tables[byte] = word;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] ?? 0;
    tables[at] = (before >>> 8) ^ (tables[before & 255] ?? 0);
  }
  return tables;
}

/** CRC32C of bytes that arrive in pieces. */
export class Crc32c {
  #state = -1;

  update(bytes: Uint8Array): void {
    this.#state = fold(this.#state, bytes);
  }

  /** The checksum of all bytes so far, as an unsigned 32-bit number; more may follow. */
  get value(): number {
    return ~this.#state >>> 0;
  }

  reset(): void {
    this.#state = -1;
  }
}

/** CRC32C of `bytes` as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  return ~fold(-1, bytes) >>> 0;
}

let folding: CrcFold | null = null;

function fold(start: number, bytes: Uint8Array): number {
  if (bytes.length < FOLD_FROM_BYTES) return foldTable(start, bytes);
  folding ??= new CrcFold();
  return foldTable(0, folding.shorten(start, bytes));
}

/** Reads 16 bytes a step as four aligned words. Node runs on little-endian machines only, which this relies on.
 *  Indices stay inside the arrays, so `as number` is true; a check per byte would halve the speed. */
function foldTable(start: number, bytes: Uint8Array): number {
  const t = TABLES;
  let crc = start;
  let at = 0;
  for (; at < bytes.length && (bytes.byteOffset + at) % 4 !== 0; at++) crc = foldByte(crc, bytes[at] as number);
  if (at === bytes.length) return crc;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, ((bytes.length - at) >>> 4) * 4);
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ (words[i] as number);
    const b = words[i + 1] as number;
    const c = words[i + 2] as number;
    const d = words[i + 3] as number;
    crc =
      (t[3840 + (a & 255)] as number) ^
      (t[3584 + ((a >>> 8) & 255)] as number) ^
      (t[3328 + ((a >>> 16) & 255)] as number) ^
      (t[3072 + (a >>> 24)] as number) ^
      (t[2816 + (b & 255)] as number) ^
      (t[2560 + ((b >>> 8) & 255)] as number) ^
      (t[2304 + ((b >>> 16) & 255)] as number) ^
      (t[2048 + (b >>> 24)] as number) ^
      (t[1792 + (c & 255)] as number) ^
      (t[1536 + ((c >>> 8) & 255)] as number) ^
      (t[1280 + ((c >>> 16) & 255)] as number) ^
      (t[1024 + (c >>> 24)] as number) ^
      (t[768 + (d & 255)] as number) ^
      (t[512 + ((d >>> 8) & 255)] as number) ^
      (t[256 + ((d >>> 16) & 255)] as number) ^
      (t[d >>> 24] as number);
  }
  for (at += words.length * 4; at < bytes.length; at++) crc = foldByte(crc, bytes[at] as number);
  return crc;
}

function foldByte(crc: number, byte: number): number {
  return (crc >>> 8) ^ (TABLES[(crc ^ byte) & 255] as number);
}
