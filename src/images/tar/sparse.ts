import type { ByteSource } from "./byte-source.ts";
import { BLOCK, invalidArchive } from "./tar-header.ts";

/** Bytes of a sparse file that are there: `bytes` of them at `at`. */
export interface Segment {
  readonly at: number;
  readonly bytes: number;
}

export interface SparseMap {
  readonly realSize: number;
  readonly segments: readonly Segment[];
  /** How much of the member's data is map, not file. */
  readonly mapBytes: number;
}

const MAX_SEGMENTS = 1_000_000;
const MAX_DIGITS = 15;

/** GNU's own format: four entries in the header, 21 in each block that follows while the one before says so.
 *  @see GNU tar manual, "Storing Sparse Files" */
export async function readGnuMap(header: Buffer, source: ByteSource): Promise<SparseMap> {
  const segments = entries(header.subarray(386, 386 + 4 * 24));
  let more = header[482] === 1;
  while (more) {
    const block = await source.take(BLOCK);
    if (block === null) throw invalidArchive("it ends in a sparse map");
    segments.push(...entries(block.subarray(0, 21 * 24)));
    if (segments.length > MAX_SEGMENTS) throw invalidArchive("a sparse map is too long");
    more = block[504] === 1;
  }
  return checkedMap({ realSize: octal(header, 483), segments, mapBytes: 0 });
}

function entries(bytes: Buffer): Segment[] {
  const found: Segment[] = [];
  for (let at = 0; at + 24 <= bytes.length; at += 24) {
    if (bytes[at] === 0) break;
    found.push({ at: octal(bytes, at), bytes: octal(bytes, at + 12) });
  }
  return found;
}

function octal(bytes: Buffer, at: number): number {
  const field = bytes.subarray(at, at + 12);
  if (((field[0] ?? 0) & 0x80) !== 0) return field.subarray(4).readUInt32BE(0) * 2 ** 32 + field.readUInt32BE(8);
  const digits = field.toString("latin1").replace(/\0.*$/s, "").trim();
  if (!/^[0-7]+$/.test(digits)) throw invalidArchive("a sparse map is broken");
  return Number.parseInt(digits, 8);
}

/** The pax formats 0.1 (the map is in the records) and 1.0 (it goes before the data). Null when the records say nothing of the kind. */
export async function readPaxMap(records: ReadonlyMap<string, string>, source: ByteSource): Promise<SparseMap | null> {
  if (records.get("GNU.sparse.major") === "1") return readMapAhead(whole(records.get("GNU.sparse.realsize")), source);
  const map = records.get("GNU.sparse.map");
  // In the first of the formats the map is as many records of one name.
  if (map === undefined && records.has("GNU.sparse.numblocks"))
    throw invalidArchive("it holds a sparse file in GNU's format 0.0 (make it again with --sparse-version=1.0)");
  if (map === undefined) return null;
  const numbers = map.split(",").map(whole);
  return checkedMap({ realSize: whole(records.get("GNU.sparse.size")), segments: pairs(numbers), mapBytes: 0 });
}

/** Decimal lines, the first their number of pairs, filled up to whole blocks. */
async function readMapAhead(realSize: number, source: ByteSource): Promise<SparseMap> {
  const numbers: number[] = [];
  let rest = "";
  let mapBytes = 0;
  for (;;) {
    const block = await source.take(BLOCK);
    if (block === null) throw invalidArchive("it ends in a sparse map");
    mapBytes += BLOCK;
    const lines = (rest + block.toString("latin1")).split("\n");
    // The last line may go on in the next block.
    rest = lines.pop() ?? "";
    const count = numbers[0] ?? (lines[0] === undefined ? null : whole(lines[0]));
    if ((count ?? 0) > MAX_SEGMENTS) throw invalidArchive("a sparse map is too long");
    if (count !== null) numbers.push(...lines.slice(0, 1 + 2 * count - numbers.length).map(whole));
    if (count !== null && numbers.length === 1 + 2 * count) {
      return checkedMap({ realSize, segments: pairs(numbers.slice(1)), mapBytes });
    }
    if (rest.length > MAX_DIGITS) throw invalidArchive("a sparse map is broken");
  }
}

function pairs(numbers: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2)
    segments.push({ at: numbers[at] ?? 0, bytes: numbers[at + 1] ?? 0 });
  return segments;
}

function whole(text: string | undefined): number {
  if (text === undefined || text.length > MAX_DIGITS || !/^\d+$/.test(text))
    throw invalidArchive("a sparse map is broken");
  return Number(text);
}

/** Segments must lie in order, apart, and inside the file. */
function checkedMap(map: SparseMap): SparseMap {
  let end = 0;
  for (const { at, bytes } of map.segments) {
    if (at < end) throw invalidArchive("a sparse map's pieces overlap");
    end = at + bytes;
  }
  if (end > map.realSize) throw invalidArchive("a sparse map is larger than its file");
  return map;
}
