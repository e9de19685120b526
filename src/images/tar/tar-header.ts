import { SluiceError } from "../../core/errors.ts";

export const BLOCK = 512;
const ZEROS = Buffer.alloc(BLOCK);

/** What a member of an archive is. */
export type TarType = "file" | "link" | "symlink" | "character" | "block" | "folder" | "fifo";

/** One header block, before the extensions that went before it are put in. */
export interface TarHeader {
  /** Raw bytes as one character each. */
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  /** The type flag as it stands. */
  readonly flag: string;
  /** True for GNU's own format, whose sparse map lies in the header. */
  readonly isGnu: boolean;
}

/** A block's header; null for a block of zeros, which ends an archive. @throws SluiceError IMAGE_INVALID
 *  @see POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" */
export function readTarHeader(block: Buffer): TarHeader | null {
  if (block[0] === 0 && block.equals(ZEROS)) return null;
  checkSum(block);
  const magic = block.toString("latin1", 257, 265);
  const isUstar = magic.startsWith("ustar\0");
  const isGnu = magic.startsWith("ustar  ");
  const prefix = isUstar ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    flag: String.fromCharCode(block[156] ?? 0),
    isGnu,
  };
}

const TYPES: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "folder",
  "6": "fifo",
  S: "file",
};

/** What the flag says the member is; old archives mark folders with a slash alone. @throws SluiceError IMAGE_INVALID */
export function typeOf(flag: string, name: string): TarType {
  const type = TYPES[flag];
  if (type === undefined) throw invalidArchive(`a member has the unknown type ${JSON.stringify(flag)}`);
  return type === "file" && name.endsWith("/") ? "folder" : type;
}

export function invalidArchive(why: string): SluiceError {
  return new SluiceError("IMAGE_INVALID", `Cannot unpack the layer: ${why}`);
}

/** The sum of all bytes with those of the sum itself as spaces. Some old writers added signed bytes. */
function checkSum(block: Buffer): void {
  let unsigned = 0;
  let signed = 0;
  // Counted by hand: an iterator takes ten times as long, for every member.
  for (let at = 0; at < BLOCK; at++) {
    const value = at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const said = number(block, 148, 8);
  if (said !== unsigned && said !== signed) throw invalidArchive("a header's checksum is wrong");
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? length : end);
}

/** Octal text, or a big-endian number when the first bit is set. */
function number(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return binary(block.subarray(at, at + length));
  const digits = text(block, at, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw invalidArchive("a number in a header is not octal");
  return Number.parseInt(digits, 8);
}

function binary(field: Buffer): number {
  let value = (field[0] ?? 0) & 0x3f;
  if (((field[0] ?? 0) & 0x40) !== 0) throw invalidArchive("a number in a header is negative");
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw invalidArchive("a number in a header is too large");
  return value;
}
