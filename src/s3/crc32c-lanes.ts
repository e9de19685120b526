/** CRC32C of 16 equal stretches of a chunk side by side, as a WebAssembly function that is put together here. One step takes a byte of every
 *  stretch: the 16 registers lie in four vectors, one for each of their bytes, and the table of a byte is two tables of 16 entries, one a
 *  nibble, which is what a vector's `swizzle` looks up. With the copy of the bytes it is twice as fast as the
 *  table in JavaScript.
 *  @see https://webassembly.github.io/spec/core/binary/index.html for the bytes */

/** Bytes of one stretch. */
export const STRETCH_BYTES = 1024;
export const LANES = 16;
export const CHUNK_BYTES = STRETCH_BYTES * LANES;

/** Places in the function's memory. */
const TABLES_AT = 0;
const REGISTERS_AT = 128;
const CHUNK_AT = 1024;

/** Numbers of the function's locals: a counter, then vectors. */
const AT = 0;
const TABLE = 1;
const REGISTER = TABLE + 8;
const ROW = REGISTER + 4;
const OTHER_ROW = ROW + LANES;
const INDEX = OTHER_ROW + LANES;
const LOW = INDEX + 1;
const HIGH = LOW + 1;
const MASK = HIGH + 1;
const VECTORS = MASK + 1 - TABLE;

type Code = readonly number[];

/** An unsigned number in LEB128. */
function leb(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

const sized = (bytes: Code): Code => [...leb(bytes.length), ...bytes];
const section = (id: number, ...items: readonly Code[]): Code => [
  id,
  ...sized([...leb(items.length), ...items.flat()]),
];

const get = (local: number): Code => [0x20, ...leb(local)];
const set = (local: number): Code => [0x21, ...leb(local)];
const number = (value: number): Code => [0x41, value];
const vector = (opcode: number): Code => [0xfd, ...leb(opcode)];
const load = (offset: number): Code => [...vector(0x00), 0, ...leb(offset)];
const store = (offset: number): Code => [...vector(0x0b), 0, ...leb(offset)];
const swizzle = (table: number, index: number): Code => [...get(table), ...get(index), ...vector(0x100)];
const AND = vector(0x4e);
const XOR = vector(0x51);
const SHIFT_RIGHT = vector(0x6d);

const times = (count: number, code: (n: number) => Code): Code =>
  Array.from({ length: count }, (_, n) => code(n)).flat();

/** Bytes of two vectors in turns, from their first or their second half. */
function interleave(a: number, b: number, half: 0 | 8): Code {
  const lanes = times(8, (n) => [half + n, 16 + half + n]);
  return [...get(a), ...get(b), ...vector(0x0d), ...lanes];
}

/** Four rounds make columns of rows: each moves one bit of a byte's place from its row's number to its column's. */
function transpose(from: number, to: number): Code {
  return times(8, (n) => [
    ...[...interleave(from + n, from + n + 8, 0), ...set(to + 2 * n)],
    ...[...interleave(from + n, from + n + 8, 8), ...set(to + 2 * n + 1)],
  ]);
}

/** register = (register >>> 8) ^ table[(register ^ byte) & 255], for 16 registers and a byte of each stretch. */
function step(bytes: number): Code {
  const looked = (n: number): Code => [...swizzle(TABLE + n, LOW), ...swizzle(TABLE + 4 + n, HIGH), ...XOR];
  return [
    ...[...get(bytes), ...get(REGISTER), ...XOR, ...set(INDEX)],
    ...[...get(INDEX), ...get(MASK), ...AND, ...set(LOW)],
    ...[...get(INDEX), ...number(4), ...SHIFT_RIGHT, ...set(HIGH)],
    ...times(3, (n) => [...looked(n), ...get(REGISTER + n + 1), ...XOR, ...set(REGISTER + n)]),
    ...[...looked(3), ...set(REGISTER + 3)],
  ];
}

function body(): Code {
  const vectors = (at: number, first: number, count: number): Code =>
    times(count, (n) => [...number(0), ...load(at + 16 * n), ...set(first + n)]);
  const round = [
    ...times(LANES, (n) => [...get(AT), ...load(CHUNK_AT + n * STRETCH_BYTES), ...set(ROW + n)]),
    ...[...transpose(ROW, OTHER_ROW), ...transpose(OTHER_ROW, ROW)],
    ...[...transpose(ROW, OTHER_ROW), ...transpose(OTHER_ROW, ROW)],
    ...times(LANES, (n) => step(ROW + n)),
    ...[...get(AT), ...number(16), 0x6a, 0x22, AT], // add, tee
    ...[0x41, ...signed(STRETCH_BYTES), 0x49, 0x0d, 0], // less than, go round again
  ];
  return [
    ...[2, 1, 0x7f, ...leb(VECTORS), 0x7b], // locals: one i32, the vectors
    ...vectors(TABLES_AT, TABLE, 8),
    ...vectors(REGISTERS_AT, REGISTER, 4),
    ...[...number(15), ...vector(0x0f), ...set(MASK)],
    ...[0x03, 0x40, ...round, 0x0b],
    ...times(4, (n) => [...number(0), ...get(REGISTER + n), ...store(REGISTERS_AT + 16 * n)]),
    0x0b,
  ];
}

/** A positive number in signed LEB128. */
const signed = (value: number): Code => (value < 64 ? [value] : [(value & 127) | 128, ...signed(value >>> 7)]);

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const name = (text: string): Code => sized([...Buffer.from(text)]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [0x60, 0, 0]), // one type: no parameters, no results
    ...section(3, [0]),
    ...section(5, [0, 1]), // one page of memory
    ...section(7, [...name("fold"), 0, 0], [...name("memory"), 2, 0]),
    ...section(10, sized(body())),
  ]);
}

/** The part of JavaScript's own interface that is used; the types of browsers, which have it, are not loaded. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** The function and the views on its memory. */
export interface Lanes {
  /** The chunk to fold. */
  readonly chunk: Uint8Array;
  /** Byte `k` of stretch `n`'s register is at `16 * k + n`: what it holds before, and after `fold`. */
  readonly registers: Uint8Array;
  fold(): void;
}

/** @param table CRC of each byte, 256 words */
export function openLanes(table: Int32Array): Lanes {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
  const { fold, memory } = instance.exports as { fold: () => void; memory: { buffer: ArrayBuffer } };
  const bytes = new Uint8Array(memory.buffer);
  for (let plane = 0; plane < 4; plane++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      const at = TABLES_AT + 16 * plane + nibble;
      bytes[at] = (table[nibble] ?? 0) >>> (8 * plane);
      bytes[at + 64] = (table[nibble << 4] ?? 0) >>> (8 * plane);
    }
  }
  return {
    chunk: bytes.subarray(CHUNK_AT, CHUNK_AT + CHUNK_BYTES),
    registers: bytes.subarray(REGISTERS_AT, REGISTERS_AT + 64),
    fold,
  };
}
