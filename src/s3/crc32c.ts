import { CHUNK_BYTES, LANES, type Lanes, openLanes, STRETCH_BYTES } from "./crc32c-lanes.ts";

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

let lanes: Lanes | null = null;
/** What a register becomes when as many zero bytes follow as one stretch has: by byte, then by its value. */
const PAST_STRETCH = new Int32Array(4 * 256);

/** Made at the first large body: many processes of the command line never see one. */
function theLanes(): Lanes {
  if (lanes !== null) return lanes;
  lanes = openLanes(TABLES.subarray(0, 256));
  const zeros = new Uint8Array(STRETCH_BYTES);
  for (let byte = 0; byte < 4; byte++) {
    for (let value = 0; value < 256; value++) PAST_STRETCH[256 * byte + value] = foldTable(value << (8 * byte), zeros);
  }
  return lanes;
}

function fold(start: number, bytes: Uint8Array): number {
  if (bytes.length < CHUNK_BYTES) return foldTable(start, bytes);
  const { chunk, registers, fold: foldChunk } = theLanes();
  let crc = start;
  let at = 0;
  for (; bytes.length - at >= CHUNK_BYTES; at += CHUNK_BYTES) {
    chunk.set(bytes.subarray(at, at + CHUNK_BYTES));
    registers.fill(0);
    for (let byte = 0; byte < 4; byte++) registers[LANES * byte] = crc >>> (8 * byte);
    foldChunk();
    crc = joined(registers);
  }
  return foldTable(crc, bytes.subarray(at));
}

/** One register of those of all stretches: what went before is taken past the next stretch, then that one's own is added. */
function joined(registers: Uint8Array): number {
  const t = PAST_STRETCH;
  let crc = 0;
  for (let lane = 0; lane < LANES; lane++) {
    crc =
      (t[crc & 255] as number) ^
      (t[256 + ((crc >>> 8) & 255)] as number) ^
      (t[512 + ((crc >>> 16) & 255)] as number) ^
      (t[768 + (crc >>> 24)] as number) ^
      (registers[lane] as number) ^
      ((registers[LANES + lane] as number) << 8) ^
      ((registers[2 * LANES + lane] as number) << 16) ^
      ((registers[3 * LANES + lane] as number) << 24);
  }
  return crc;
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
