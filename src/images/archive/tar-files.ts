import type { FileHandle } from "node:fs/promises";
import { SluiceError } from "../../core/errors.ts";
import { readPaxRecords } from "../tar/pax.ts";
import { BLOCK, readTarHeader, type TarHeader, typeOf } from "../tar/tar-header.ts";
import type { FileSet } from "./file-set.ts";
import { readPart, streamPart } from "./read-part.ts";

/** Files of an image's archive: a few a layer. */
const MAX_MEMBERS = 10_000;
const MAX_EXTENSION_BYTES = 1024 ** 2;
const MAX_LINKS = 10;

interface Place {
  readonly at: number;
  readonly bytes: number;
}

/** The files of a tar archive, found by their headers alone: what they hold is passed over by seeking. Links between them are followed, as `docker save`
 *  of before 2019 writes a layer that two images share once. The file is closed with the set, and when this throws.
 *  @throws SluiceError IMAGE_INVALID */
export async function tarFiles(file: FileHandle): Promise<FileSet> {
  try {
    return fileSet(file, await indexOf(file));
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Index {
  readonly places: ReadonlyMap<string, Place>;
  readonly links: ReadonlyMap<string, string>;
}

async function indexOf(file: FileHandle): Promise<Index> {
  const places = new Map<string, Place>();
  const links = new Map<string, string>();
  const { size } = await file.stat();
  let longName: string | null = null;
  let longLink: string | null = null;
  let pax: ReadonlyMap<string, string> = new Map();
  for (let at = 0, members = 0; at + BLOCK <= size; members++) {
    if (members > MAX_MEMBERS) throw broken(`it has more than ${MAX_MEMBERS} members`);
    const header = readTarHeader(await readPart(file, at, BLOCK));
    if (header === null) break;
    const bytes = Number(pax.get("size") ?? header.size);
    const next = at + BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
    if (!Number.isSafeInteger(bytes) || bytes < 0 || at + BLOCK + bytes > size)
      throw broken("it ends in the middle of a member");
    if ("xgLK".includes(header.flag)) {
      const extension = await extensionOf(file, at, header);
      if (header.flag === "x") pax = readPaxRecords(extension);
      if (header.flag === "L") longName = untilNul(extension);
      if (header.flag === "K") longLink = untilNul(extension);
      at = next;
      continue;
    }
    const name = normal(pax.get("path") ?? longName ?? header.name);
    const target = pax.get("linkpath") ?? longLink ?? header.linkName;
    const type = typeOf(header.flag, name);
    if (type === "file") places.set(name, { at: at + BLOCK, bytes });
    if (type === "link") links.set(name, normal(target));
    if (type === "symlink") links.set(name, normal(`${name.slice(0, name.lastIndexOf("/") + 1)}${target}`));
    [longName, longLink, pax] = [null, null, new Map()];
    at = next;
  }
  return { places, links };
}

function fileSet(file: FileHandle, { places, links }: Index): FileSet {
  const find = (name: string): Place | null => {
    let at = name;
    for (let followed = 0; followed < MAX_LINKS; followed++) {
      const place = places.get(at);
      if (place !== undefined) return place;
      const target = links.get(at);
      if (target === undefined) return null;
      at = target;
    }
    return null;
  };
  return {
    has: (name) => find(name) !== null,
    size: (name) => find(name)?.bytes ?? null,
    async read(name, maxBytes) {
      const place = find(name);
      if (place === null) throw broken(`it has no ${JSON.stringify(name)}`);
      if (place.bytes > maxBytes) throw broken(`its ${JSON.stringify(name)} has more than ${maxBytes} bytes`);
      return await readPart(file, place.at, place.bytes);
    },
    stream(name, offset) {
      const place = find(name);
      if (place === null) throw broken(`it has no ${JSON.stringify(name)}`);
      return streamPart(file, place.at + offset, Math.max(0, place.bytes - offset));
    },
    close: () => file.close(),
  };
}

async function extensionOf(file: FileHandle, at: number, { size }: TarHeader): Promise<Buffer> {
  if (size > MAX_EXTENSION_BYTES) throw broken(`an extended header has more than ${MAX_EXTENSION_BYTES} bytes`);
  return await readPart(file, at + BLOCK, size);
}

/** Without `.`, empty parts and `..`, which stops at the top. */
function normal(name: string): string {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

function broken(why: string): SluiceError {
  return new SluiceError("IMAGE_INVALID", `Cannot read the image's archive: ${why}`);
}
