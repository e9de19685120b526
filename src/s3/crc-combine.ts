/** A bit-reversed CRC with all ones at start and end, as S3's three are. */
interface Crc {
  /** In bits. */
  readonly width: 32 | 64;
  /** The polynomial without its highest term, bits reversed. */
  readonly polynomial: bigint;
}

/** @see RFC 1952 (crc32), RFC 3720 (crc32c), NVM Express NVM Command Set 1.0d, section 5.2.1.3.4 (crc64nvme) */
const CRCS = {
  crc32: { width: 32, polynomial: 0xedb88320n },
  crc32c: { width: 32, polynomial: 0x82f63b78n },
  crc64nvme: { width: 64, polynomial: 0x9a6c9329ac4bc9b5n },
} as const satisfies Record<string, Crc>;

export type CrcName = keyof typeof CRCS;

/** True for the checksums that can be combined: those of parts give that of the whole. */
export function isCrc(algorithm: string): algorithm is CrcName {
  return Object.hasOwn(CRCS, algorithm);
}

/** The CRC of A followed by B, from the CRC of each and the length of B.
 *
 *  A CRC is the remainder of a polynomial over GF(2): the bytes of B shift A's by `8 * bBytes` places, which multiplies its remainder with
 *  `x^(8 * bBytes)`. The ones at start and end cancel out.
 *  @param a big-endian, as digests are
 *  @see Mark Adler's crc32_combine in zlib for the method */
export function combineCrc(algorithm: CrcName, a: Buffer, b: Buffer, bBytes: number): Buffer {
  const crc = CRCS[algorithm];
  if (crc.width === 32) {
    const combined = Buffer.allocUnsafe(4);
    combined.writeUInt32BE(combine32(Number(crc.polynomial), a.readUInt32BE(), b.readUInt32BE(), bBytes));
    return combined;
  }
  const shifted = multiply64(crc.polynomial, shift64(crc.polynomial, bBytes), a.readBigUInt64BE());
  const combined = Buffer.allocUnsafe(8);
  combined.writeBigUInt64BE(shifted ^ b.readBigUInt64BE());
  return combined;
}

/** The same for CRC32C as unsigned numbers. */
export function combineCrc32c(a: number, b: number, bBytes: number): number {
  return combine32(Number(CRCS.crc32c.polynomial), a, b, bBytes);
}

function combine32(polynomial: number, a: number, b: number, bBytes: number): number {
  return (multiply32(polynomial, shift32(polynomial, bBytes), a) ^ b) >>> 0;
}

/** Parts of one upload have one or two lengths, so that a few answers serve all. */
const MAX_SHIFTS = 64;
const shifts32 = new Map<string, number>();
const shifts64 = new Map<string, bigint>();

function shift32(polynomial: number, bytes: number): number {
  return remembered(shifts32, `${polynomial} ${bytes}`, () => {
    // Bits are reversed: the highest is x^0.
    let result = 0x8000_0000;
    let square = 0x4000_0000;
    for (let bits = BigInt(bytes) * 8n; bits > 0n; bits >>= 1n) {
      if (bits & 1n) result = multiply32(polynomial, square, result);
      square = multiply32(polynomial, square, square);
    }
    return result;
  });
}

function shift64(polynomial: bigint, bytes: number): bigint {
  return remembered(shifts64, `${bytes}`, () => {
    let result = 1n << 63n;
    let square = 1n << 62n;
    for (let bits = BigInt(bytes) * 8n; bits > 0n; bits >>= 1n) {
      if (bits & 1n) result = multiply64(polynomial, square, result);
      square = multiply64(polynomial, square, square);
    }
    return result;
  });
}

function remembered<Value>(known: Map<string, Value>, name: string, compute: () => Value): Value {
  const found = known.get(name);
  if (found !== undefined) return found;
  if (known.size >= MAX_SHIFTS) known.clear();
  const value = compute();
  known.set(name, value);
  return value;
}

/** `a * b` modulo the polynomial. */
function multiply32(polynomial: number, a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 0x8000_0000; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product >>> 0;
}

function multiply64(polynomial: bigint, a: bigint, b: bigint): bigint {
  let product = 0n;
  let shifted = b;
  for (let bit = 1n << 63n; bit !== 0n; bit >>= 1n) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n;
  }
  return product;
}
