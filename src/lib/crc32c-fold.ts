import { type Code, get, instantiate, leb, loop, times } from "./wasm-code.ts";

/** Shortens a long message without a change of its CRC32C, with nothing but XOR of 16-byte vectors.
 *
 *  Why: a CRC is a remainder modulo P, and P divides g^209 + g^144 + g^54 + g^39 + g^14 + 1, where g = x^128 moves a message by one vector. So a
 *  vector may be taken away when it is added (XOR) to those 65, 155, 170, 195 and 209 vectors behind it. Done to all vectors but the last 209,
 *  this leaves 3,344 bytes of a message of any length. The six exponents are the smallest that a search found; `crc32c.test.ts` holds the
 *  result against the definition.
 *  @see Russell, "Chorba: A novel CRC32 implementation", 2024, for the idea with other sums */

const VECTOR = 16;
const LAGS = [65, 155, 170, 195, 209] as const;
const WINDOW = 209 * VECTOR;
/** Small enough for a processor's first cache, together with the window before it; a multiple of what one round takes. */
const CHUNK_BYTES = 28 * 1024;
const UNROLLED = 4;

/** A message from which shortening pays. */
export const FOLD_FROM_BYTES = 4 * WINDOW;

const load = (offset: number): Code => [0xfd, 0x00, 0, ...leb(offset)];
const store = (offset: number): Code => [0xfd, 0x0b, 0, ...leb(offset)];
const XOR: Code = [0xfd, 0x51];
const SUBTRACT = 0x6b;
/** `(at, end)`: every vector of the stretch takes what those before it are to leave. `at` is the place of the window before it. */
function takeAll(): Code {
  const one = (n: number): Code => {
    const at = WINDOW + n * VECTOR;
    const added = LAGS.flatMap((lag) => [...get(0), ...load(at - lag * VECTOR), ...XOR]);
    return [...get(0), ...get(0), ...load(at), ...added, ...store(at)];
  };
  return [0, ...loop(times(UNROLLED, one), UNROLLED * VECTOR), 0x0b];
}

/** `(at, end, lag in bytes)`: every vector takes the one that lies so far before it. */
function takeOne(): Code {
  const round = [...get(0), ...get(0), ...load(0), ...get(0), ...get(2), SUBTRACT, ...load(0), ...XOR, ...store(0)];
  return [0, ...loop(round, VECTOR), 0x0b];
}

const FUNCTIONS = [
  { name: "takeAll", type: [0x60, 2, 0x7f, 0x7f, 0], body: takeAll() },
  { name: "takeOne", type: [0x60, 3, 0x7f, 0x7f, 0x7f, 0], body: takeOne() },
];

interface Program {
  takeAll(at: number, end: number): void;
  takeOne(at: number, end: number, lag: number): void;
  readonly memory: { readonly buffer: ArrayBuffer };
}

/** A window and a chunk of memory to fold messages in. */
export class CrcFold {
  readonly #program: Program;
  readonly #memory: Uint8Array;

  constructor() {
    this.#program = instantiate(FUNCTIONS) as Program;
    this.#memory = new Uint8Array(this.#program.memory.buffer);
  }

  /** A short message with the same CRC as `bytes` behind a register of `start`, when its own register starts with 0. It is valid until the
   *  next call. `bytes` has at least FOLD_FROM_BYTES. */
  shorten(start: number, bytes: Uint8Array): Uint8Array {
    const memory = this.#memory;
    memory.fill(0, 0, WINDOW);
    let at = 0;
    let size = this.#take(bytes, at);
    for (let byte = 0; byte < 4; byte++) memory[WINDOW + byte] = (memory[WINDOW + byte] ?? 0) ^ (start >>> (8 * byte));
    for (;;) {
      at += size;
      if (bytes.length - at < FOLD_FROM_BYTES) return this.#end(size, bytes.subarray(at));
      this.#program.takeAll(0, size);
      memory.copyWithin(0, size, size + WINDOW);
      size = this.#take(bytes, at);
    }
  }

  /** Puts the next chunk behind the window. */
  #take(bytes: Uint8Array, at: number): number {
    const size = Math.min(CHUNK_BYTES, (bytes.length - at) & ~(UNROLLED * VECTOR - 1));
    this.#memory.set(bytes.subarray(at, at + size), WINDOW);
    return size;
  }

  /** The last window of a chunk stays: it takes only what lies before it. What is left of the message follows it. */
  #end(size: number, rest: Uint8Array): Uint8Array {
    const kept = (size - WINDOW) & ~(UNROLLED * VECTOR - 1);
    this.#program.takeAll(0, kept);
    const from = WINDOW + kept;
    for (const lag of LAGS) this.#program.takeOne(from, from + lag * VECTOR, lag * VECTOR);
    this.#memory.set(rest, WINDOW + size);
    return this.#memory.subarray(from, WINDOW + size + rest.length);
  }
}
