import { type Code, get, instantiate, leb, loop, signed, times } from "../lib/wasm-code.ts";

/** The polynomial, bits reversed. @see NVM Express NVM Command Set Specification 1.0d, section 5.2.1.3.4 */
const POLYNOMIAL = 0x9a6c9329ac4bc9b5n;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Bytes folded in one step; each has its own table of 256 entries. */
const SLICES = 16;
const TABLE_BYTES = 256 * 8;
/** Bytes to fold lie behind the tables; tables and bytes fit a processor's first cache, or nearly. */
const DATA_AT = SLICES * TABLE_BYTES;
const CHUNK_BYTES = 16 * 1024;

const XOR: Code = [0x85];
const SHIFT_RIGHT: Code = [0x88];
const longOf = (value: number): Code => [0x42, ...signed(value)];
const load = (offset: number): Code => [0x29, 0, ...leb(offset)];
const set = (local: number): Code => [0x21, local];

/** The entry of a table for byte `n` of a local of 64 bits, 0 being the lowest. The shift leaves the byte times 8, the size of an entry. */
function entry(local: number, n: number, table: number): Code {
  const shifted = n === 0 ? [...longOf(3), 0x86] : [...longOf(8 * n - 3), ...SHIFT_RIGHT];
  return [...get(local), ...shifted, 0xa7, 0x41, ...signed(255 * 8), 0x71, ...load(table * TABLE_BYTES)];
}

/** `(at, end, crc) → crc`, 16 bytes a step. @see Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based CRC
 *  Generators", 2005 */
function foldWords(): Code {
  const [crc, a, b] = [2, 3, 4];
  const words = [...get(crc), ...get(0), ...load(0), ...XOR, ...set(a), ...get(0), ...load(8), ...set(b)];
  // Those of `b` first: they need not wait for the step before.
  const entries = times(SLICES, (n) => [...entry(n < 8 ? b : a, 7 - (n % 8), n), ...(n === 0 ? [] : XOR)]);
  return [1, 2, 0x7e, ...loop([...words, ...entries, ...set(crc)], SLICES), ...get(crc), 0x0b];
}

/** The same, byte by byte. */
function foldBytes(): Code {
  const [crc, a] = [2, 3];
  const mixed = [...get(0), 0x31, 0, 0, ...get(crc), ...XOR, ...set(a)];
  const round = [...mixed, ...entry(a, 0, 0), ...get(crc), ...longOf(8), ...SHIFT_RIGHT, ...XOR, ...set(crc)];
  return [1, 1, 0x7e, ...loop(round, 1), ...get(crc), 0x0b];
}

interface Program {
  foldWords(at: number, end: number, crc: bigint): bigint;
  foldBytes(at: number, end: number, crc: bigint): bigint;
  readonly memory: { readonly buffer: ArrayBuffer };
}

/** WebAssembly, because JavaScript has no fast numbers of 64 bits. */
class Folding {
  readonly #program: Program;
  readonly #memory: Uint8Array;

  constructor() {
    const type = [0x60, 3, 0x7f, 0x7f, 0x7e, 1, 0x7e];
    this.#program = instantiate([
      { name: "foldWords", type, body: foldWords() },
      { name: "foldBytes", type, body: foldBytes() },
    ]) as Program;
    this.#memory = new Uint8Array(this.#program.memory.buffer);
    fillTables(new BigUint64Array(this.#program.memory.buffer, 0, 256 * SLICES));
  }

  fold(start: bigint, bytes: Uint8Array): bigint {
    let crc = start;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const chunk = bytes.subarray(at, at + CHUNK_BYTES);
      this.#memory.set(chunk, DATA_AT);
      const border = DATA_AT + chunk.length - (chunk.length % SLICES);
      const end = DATA_AT + chunk.length;
      if (border > DATA_AT) crc = this.#program.foldWords(DATA_AT, border, crc);
      if (end > border) crc = this.#program.foldBytes(border, end, crc);
    }
    return crc;
  }
}

/** Entry `256 * k + b` is the effect of byte `b` that `k` more bytes follow. */
function fillTables(tables: BigUint64Array): void {
  for (let byte = 0; byte < 256; byte++) {
    let entry = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) entry = entry & 1n ? (entry >> 1n) ^ POLYNOMIAL : entry >> 1n;
    tables[byte] = entry;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] ?? 0n;
    tables[at] = (before >> 8n) ^ (tables[Number(before & 255n)] ?? 0n);
  }
}

let folding: Folding | null = null;

/** CRC-64/NVME of bytes that arrive in pieces. */
export class Crc64Nvme {
  #state = ALL_ONES;

  update(bytes: Uint8Array): void {
    folding ??= new Folding();
    this.#state = BigInt.asUintN(64, folding.fold(this.#state, bytes));
  }

  /** The checksum of all bytes so far, 8 bytes big-endian; more may follow. */
  digest(): Buffer {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64BE(this.#state ^ ALL_ONES);
    return bytes;
  }
}
