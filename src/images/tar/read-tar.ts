import { ByteSource } from "./byte-source.ts";
import { readPaxRecords } from "./pax.ts";
import { readGnuMap, readPaxMap, type Segment } from "./sparse.ts";
import { BLOCK, invalidArchive, readTarHeader, type TarHeader, type TarType, typeOf } from "./tar-header.ts";

/** One member of an archive. Names are raw bytes as one character each: they need not be UTF-8. */
export interface TarMember {
  readonly type: TarType;
  readonly path: string;
  /** Of links; empty otherwise. */
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file, holes included. */
  readonly sizeBytes: number;
  /** UTC ms. */
  readonly modifiedAt: number;
  /** Where the bytes of `body` go; one piece for a file without holes. */
  readonly segments: readonly Segment[];
  /** To be read before the next member is asked for; what is left unread is passed over. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Longest path that Linux takes. */
const MAX_PATH_BYTES = 4096;
const MAX_EXTENSION_BYTES = 1024 * 1024;

/** What extension headers said about the member that follows. */
interface Extensions {
  longName: string | null;
  longLink: string | null;
  records: ReadonlyMap<string, string>;
}

const noExtensions = (): Extensions => ({ longName: null, longLink: null, records: new Map() });

/** Reads an archive as it arrives: ustar, pax and GNU's formats. Never holds more than a header and what the consumer has not taken.
 *  @throws SluiceError IMAGE_INVALID */
export async function* readTar(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember> {
  const source = new ByteSource(pieces);
  try {
    let global: ReadonlyMap<string, string> = new Map();
    let extensions = noExtensions();
    for (;;) {
      const block = await source.take(BLOCK);
      const header = block === null ? null : readTarHeader(block);
      if (block === null || header === null) return;
      if (header.flag === "g") {
        global = new Map([...global, ...readPaxRecords(await extension(source, header))]);
        continue;
      }
      if (await takeExtension(source, header, extensions)) continue;
      const all = new Map([...global, ...extensions.records]);
      const records = new Map([...all].filter(([, value]) => value !== ""));
      const { member, end } = await openMember(source, block, header, { ...extensions, records });
      yield member;
      await skipTo(source, end);
      extensions = noExtensions();
    }
  } finally {
    await source.close();
  }
}

/** True when the header was one that says something about the next. */
async function takeExtension(source: ByteSource, header: TarHeader, extensions: Extensions): Promise<boolean> {
  switch (header.flag) {
    case "x":
      extensions.records = readPaxRecords(await extension(source, header));
      return true;
    case "L":
      extensions.longName = untilNul(await extension(source, header));
      return true;
    case "K":
      extensions.longLink = untilNul(await extension(source, header));
      return true;
    default:
      return false;
  }
}

async function extension(source: ByteSource, { size }: TarHeader): Promise<Buffer> {
  if (size > MAX_EXTENSION_BYTES) throw invalidArchive(`an extended header has more than ${MAX_EXTENSION_BYTES} bytes`);
  const bytes = await source.take(padded(size));
  if (bytes === null && size > 0) throw invalidArchive("it ends in an extended header");
  return (bytes ?? Buffer.alloc(0)).subarray(0, size);
}

async function openMember(
  source: ByteSource,
  block: Buffer,
  header: TarHeader,
  { longName, longLink, records }: Extensions,
): Promise<{ readonly member: TarMember; readonly end: number }> {
  const path = records.get("GNU.sparse.name") ?? records.get("path") ?? longName ?? header.name;
  const linkPath = records.get("linkpath") ?? longLink ?? header.linkName;
  if (path.length > MAX_PATH_BYTES || linkPath.length > MAX_PATH_BYTES) {
    throw invalidArchive(`a name has more than ${MAX_PATH_BYTES} bytes`);
  }
  const type = typeOf(header.flag, path);
  const stored = type === "file" ? numberOf(records, "size", header.size) : 0;
  const gnu = header.flag === "S" && header.isGnu ? await readGnuMap(block, source) : null;
  const dataStart = source.position;
  const sparse = gnu ?? (type === "file" ? await readPaxMap(records, source) : null);
  const segments = sparse?.segments ?? (stored === 0 ? [] : [{ at: 0, bytes: stored }]);
  const kept = segments.reduce((sum, { bytes }) => sum + bytes, 0);
  if (kept + (sparse?.mapBytes ?? 0) > stored) throw invalidArchive("a sparse map is larger than its data");
  const member: TarMember = {
    type,
    path,
    linkPath,
    mode: header.mode,
    uid: numberOf(records, "uid", header.uid),
    gid: numberOf(records, "gid", header.gid),
    sizeBytes: sparse?.realSize ?? stored,
    modifiedAt: secondsOf(records.get("mtime")) ?? header.mtime * 1000,
    segments,
    body: source.stream(kept),
  };
  return { member, end: dataStart + padded(stored) };
}

function numberOf(records: ReadonlyMap<string, string>, key: string, otherwise: number): number {
  const text = records.get(key);
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw invalidArchive(`the pax record "${key}" is no number`);
  return value;
}

/** Seconds with a fraction, maybe negative; null when it is none. */
function secondsOf(text: string | undefined): number | null {
  const seconds = text === undefined || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : null;
}

async function skipTo(source: ByteSource, end: number): Promise<void> {
  while (source.position < end) {
    // The zeros behind the last member may be missing.
    if ((await source.upTo(end - source.position)) === null) return;
  }
}

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}
