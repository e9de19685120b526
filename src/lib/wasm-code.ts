/** WebAssembly written by hand: what the checksums need of it.
 *  @see https://webassembly.github.io/spec/core/binary/index.html */
export type Code = readonly number[];

/** An unsigned number in LEB128. */
export function leb(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** A positive number in signed LEB128. */
export const signed = (value: number): Code => (value < 64 ? [value] : [(value & 127) | 128, ...signed(value >>> 7)]);

export const sized = (bytes: Code): Code => [...leb(bytes.length), ...bytes];

export const section = (id: number, ...items: readonly Code[]): Code => [
  id,
  ...sized([...leb(items.length), ...items.flat()]),
];

export const get = (local: number): Code => [0x20, local];

export const times = (count: number, code: (n: number) => Code): Code =>
  Array.from({ length: count }, (_, n) => code(n)).flat();

/** `do { round; at += bytes } while (at < end)` with `at` and `end` the first two parameters. */
export function loop(round: Code, bytes: number): Code {
  const next = [...get(0), 0x41, ...signed(bytes), 0x6a, 0x22, 0, ...get(1), 0x49, 0x0d, 0];
  return [0x03, 0x40, ...round, ...next, 0x0b];
}

/** The part of JavaScript's own interface that is used; the types of browsers, which have it, are not loaded. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface WasmFunction {
  readonly name: string;
  /** With its parameters and results. */
  readonly type: Code;
  /** With its locals and end. */
  readonly body: Code;
}

/** The exports of a module of these functions and a `memory` of 64 KiB. */
export function instantiate(functions: readonly WasmFunction[]): unknown {
  const named = (name: string, kind: number, index: number): Code => [...sized([...Buffer.from(name)]), kind, index];
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, ...functions.map(({ type }) => type)),
    ...section(3, ...functions.map((_, index) => [index])),
    ...section(5, [0, 1]),
    ...section(7, ...functions.map(({ name }, index) => named(name, 0, index)), named("memory", 2, 0)),
    ...section(10, ...functions.map(({ body }) => sized(body))),
  ]);
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
}
