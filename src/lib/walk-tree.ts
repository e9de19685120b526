import {
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readdirSync,
  type Stats,
} from "node:fs";
import { setImmediate } from "node:timers/promises";
import { SluiceError } from "../core/errors.ts";

/** Something a walk came by. A folder is met twice: before (`enter`) and after (`leave`) what it holds; everything else once. */
export interface Walked {
  readonly phase: "enter" | "leave";
  readonly kind: "folder" | "file" | "link" | "other";
  /** Names the entry itself through a descriptor of its folder: valid until the walk goes on, short at any depth, and no
   *  symbolic link on the way can lead it elsewhere. Use calls that do not follow a link in the last place. */
  readonly path: Buffer;
}

/** One folder on the way down. `fd` is null while it lies too deep to keep open: it is found again through `..` of its child. */
interface Level {
  fd: number | null;
  readonly dev: number;
  readonly ino: number;
  /** As the file system counts it: tells a folder of a few thousand entries from one of a million. */
  readonly sizeBytes: number;
  readonly folders: Buffer[];
  readonly name: Buffer;
}

/** Descriptors kept open on the way down. */
const OPEN_LEVELS = 64;
/** A folder up to this size holds some thousands of entries and is listed in one call, which is several times cheaper. */
const LISTED_AT_ONCE_BYTES = 256 * 1024;
/** Names a file without opening it; Node has no name for it. */
const O_PATH = 0o10000000;
const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Walks everything below `root` (not `root` itself), made for trees that a script left behind: names of any bytes, any depth and
 *  size, symbolic links (never followed), FIFOs and devices (never opened). A folder that its owner may not
 *  read is made readable for him; one that cannot be opened is passed over after its `enter`, and has no `leave`. Entries that appear or vanish during the walk may be seen or not.
 *  @throws SluiceError INTERNAL when a folder was moved away while the walk stood in it; errors of the system for `root` itself */
export function* walkTree(root: string | Buffer): Generator<Walked, void, void> {
  const levels: Level[] = [];
  const descend = (path: string | Buffer, name: Buffer): Level => {
    const fd = openFolder(path);
    const { dev, ino, size: sizeBytes } = fstatSync(fd);
    const level = { fd, dev, ino, sizeBytes, folders: [], name };
    levels.push(level);
    dropDistant(levels);
    return level;
  };
  try {
    yield* files(descend(root, Buffer.alloc(0)));
    for (;;) {
      const level = levels[levels.length - 1];
      if (level === undefined) return;
      const name = level.folders.pop();
      if (name !== undefined) {
        const path = within(openAgain(level), name);
        yield { phase: "enter", kind: "folder", path };
        const child = attempt(() => descend(path, name));
        if (child !== null) yield* files(child);
      } else {
        yield* leave(levels, level);
      }
    }
  } finally {
    for (const level of levels) if (level.fd !== null) closeSync(level.fd);
  }
}

/** Runs a walk to its end in slices of a few milliseconds, so that a tree of a million files does not stop the event loop.
 *  `visit` returns false to end the walk early; a promise makes the walk wait. Resolves false when it was ended early. */
export async function walkInSlices(
  root: string | Buffer,
  visit: (entry: Walked) => boolean | Promise<boolean>,
  sliceMs = 4,
): Promise<boolean> {
  let sliceEnd = performance.now() + sliceMs;
  for (const entry of walkTree(root)) {
    const goOn = visit(entry);
    if (goOn === false || (goOn !== true && !(await goOn))) return false;
    if (performance.now() < sliceEnd) continue;
    await setImmediate();
    sliceEnd = performance.now() + sliceMs;
  }
  return true;
}

/** Reads a level's folder: yields what is no folder, keeps the names of those that are. */
function* files(level: Level): Generator<Walked, void, void> {
  const fd = openAgain(level);
  const prefix = Buffer.from(`/proc/self/fd/${fd}/`);
  for (const entry of level.sizeBytes <= LISTED_AT_ONCE_BYTES ? listed(fd) : streamed(fd)) {
    const path = Buffer.concat([prefix, entry.name]);
    const kind = kindOf(entry, path);
    if (kind === "folder") level.folders.push(entry.name);
    else if (kind !== null) yield { phase: "enter", kind, path };
  }
}

function listed(fd: number): Dirent<Buffer>[] {
  return attempt(() => readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer", withFileTypes: true })) ?? [];
}

function* streamed(fd: number): Generator<Dirent<Buffer>, void, void> {
  // Node reads folders as buffers when told so; its types know only texts.
  const folder = attempt(() => opendirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" as BufferEncoding }));
  if (folder === null) return;
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      yield entry as unknown as Dirent<Buffer>;
    }
  } finally {
    folder.closeSync();
  }
}

function* leave(levels: Level[], level: Level): Generator<Walked, void, void> {
  const parent = levels[levels.length - 2];
  if (parent !== undefined && parent.fd === null) reopenParent(level, parent);
  levels.pop();
  if (level.fd !== null) closeSync(level.fd);
  if (parent !== undefined) yield { phase: "leave", kind: "folder", path: within(openAgain(parent), level.name) };
}

/** A folder whose owner took his own rights away is opened up to him (0700), by a descriptor, so that no link can stand in its place.
 *  Root never comes here. */
function openFolder(path: string | Buffer): number {
  try {
    return openSync(path, OPEN_FOLDER);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EACCES")) throw error;
  }
  const handle = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${handle}`, 0o700);
    return openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY | constants.O_DIRECTORY);
  } finally {
    closeSync(handle);
  }
}

/** The parent must be the very folder the walk came from: a folder moved while the walk stood in it has another one. */
function reopenParent(level: Level, parent: Level): void {
  const fd = openSync(`/proc/self/fd/${openAgain(level)}/..`, OPEN_FOLDER);
  const { dev, ino } = fstatSync(fd);
  if (dev !== parent.dev || ino !== parent.ino) {
    closeSync(fd);
    throw new SluiceError("INTERNAL", "Cannot walk the folder: it was moved meanwhile");
  }
  parent.fd = fd;
}

function dropDistant(levels: readonly Level[]): void {
  const distant = levels[levels.length - 1 - OPEN_LEVELS];
  if (distant === undefined || distant.fd === null) return;
  closeSync(distant.fd);
  distant.fd = null;
}

function openAgain(level: Level): number {
  if (level.fd === null) throw new SluiceError("INTERNAL", "Cannot walk the folder: a descriptor is missing");
  return level.fd;
}

function within(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

/** Some file systems give no types in listings; null when the entry has gone. */
function kindOf(entry: Dirent<Buffer>, path: Buffer): Walked["kind"] | null {
  const typed = kindOfTyped(entry);
  if (typed !== "other" || entry.isFIFO() || entry.isSocket() || isDevice(entry)) return typed;
  const stats = attempt(() => lstatSync(path));
  return stats === null ? null : kindOfTyped(stats);
}

function kindOfTyped(entry: Dirent<Buffer> | Stats): Walked["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}

function isDevice(entry: Dirent<Buffer>): boolean {
  return entry.isBlockDevice() || entry.isCharacterDevice();
}

const GONE = ["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "EPERM"];

/** Null when the entry vanished, turned into something else or may not be opened. */
function attempt<T>(call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (error instanceof Error && "code" in error && GONE.includes(String(error.code))) return null;
    throw error;
  }
}
