import { type BigIntStats, chmodSync, lchownSync, lstatSync, readdirSync, type Stats } from "node:fs";
import { walkInSlices } from "../lib/walk-tree.ts";

/** What a work folder holds: allocated bytes, and files of every kind, folders included. */
export interface FolderSize {
  readonly bytes: number;
  readonly files: number;
}

export const addSizes = (a: FolderSize, b: FolderSize): FolderSize => ({
  bytes: a.bytes + b.bytes,
  files: a.files + b.files,
});

/** The limit that a folder is over. */
export function sizeLimit(size: FolderSize, allowed: FolderSize): "disk" | "files" | null {
  if (size.bytes > allowed.bytes) return "disk";
  return size.files > allowed.files ? "files" : null;
}

/** Whom the folder is given to, by the machine's ids. */
export interface FolderUser {
  readonly uid: number;
  readonly gid: number;
}

/** Unit of `st_blocks`, whatever the file system's own is. */
const BLOCK_BYTES = 512;
const OWNER_FILE = 0o600;
const OWNER_FOLDER = 0o700;
/** Set-id bits too. What has an access list shows its mask as the group's. */
const ALL_RIGHTS = 0o7777;

/** What is known of a work folder since it was given. */
export interface GivenFolder {
  /** When the inodes in it, by name, last changed before a script could reach them; `""` is the folder itself. */
  readonly times: ReadonlyMap<string, bigint>;
  /** Paths of all that lay in it, relative to it; null where nobody knows. */
  readonly entries: readonly string[] | null;
}

/** Makes a sandbox's user the owner of the folder and all that the supervisor put in it. Nothing may run in it.
 *
 *  Nobody can set the time of an inode's last change, and every change sets it: that tells afterwards what a script left alone, in ways that Node
 *  cannot read too. The clock behind it may be coarse, so `output` is given once more, last: what changed before that, by that same
 *  clock, cannot be taken for what a script changes later. Anything else is left out of the answer.
 *  @param entries all that lies in the folder, for one that no script has been in: it is not looked for then */
export async function giveFolder(
  folder: string,
  user: FolderUser | null,
  output: string | undefined,
  entries: readonly string[] | null,
): Promise<GivenFolder> {
  if (user !== null) {
    const give = (path: string | Buffer): void => lchownSync(path, user.uid, user.gid);
    give(folder);
    if (entries !== null) for (const entry of entries) give(`${folder}/${entry}`);
    else await everyEntry(folder, give);
  }
  if (output === undefined) return { times: new Map(), entries };
  const names = ["", ...(entries?.filter(isTop) ?? readdirSync(folder))];
  const times = names.map((name) => [name, changeTime(look(`${folder}/${name}`))] as const);
  const end = giveLast(output, user, times);
  return { times: new Map(times.filter(([, time]) => time < end)), entries };
}

/** Newer kernels (6.13) take a fine clock for the next change of an inode that was looked at since its last one, unless the coarse clock has gone on: then
 *  what was given since has the time of the output, which is given once more. */
function giveLast(output: string, user: FolderUser | null, given: readonly (readonly [string, bigint])[]): bigint {
  let end = 0n;
  for (let tries = 0; tries < 2 && given.some(([, time]) => time >= end); tries++) {
    look(output);
    lchownSync(output, user?.uid ?? UNCHANGED, user?.gid ?? UNCHANGED);
    end = changeTime(look(output));
  }
  return end;
}

/** For `chown`: no other owner, but the time of the change all the same. */
const UNCHANGED = -1;

type Look = BigIntStats | undefined;

/** Undefined for what is gone. */
const look = (path: string): Look => lstatSync(path, { bigint: true, throwIfNoEntry: false });
const changeTime = (seen: Look): bigint => seen?.ctimeNs ?? 0n;
const isTop = (entry: string): boolean => !entry.includes("/");

export interface TakenFolder {
  readonly size: FolderSize;
  /** Names of what has not changed since it was given. */
  readonly untouched: ReadonlySet<string>;
}

/** Makes the server the owner again and the only one with rights: modes 0600 and 0700, so no set-id bits and no access list counts any
 *  more (its mask becomes empty). Says what the folder holds. Every process of the sandbox must be gone: then the tree stands still,
 *  and no link can turn a call elsewhere.
 *
 *  A folder whose inode is as it was given holds the names that it held: only the others are read. */
export async function takeFolderBack(
  folder: string,
  user: FolderUser | null,
  given: GivenFolder,
): Promise<TakenFolder> {
  const meter = new Meter();
  const take: Take = (path, stats = lstatSync(path)) => {
    meter.add(stats);
    if (user !== null) lchownSync(path, OWN_UID, OWN_GID);
    const mode = stats.isDirectory() ? OWNER_FOLDER : OWNER_FILE;
    if (!stats.isSymbolicLink() && (Number(stats.mode) & ALL_RIGHTS) !== mode) chmodSync(path, mode);
  };
  const seen = new Map([...given.times.keys()].map((name) => [name, look(`${folder}/${name}`)]));
  const untouched = new Set([...seen].filter(([name, now]) => changeTime(now) === given.times.get(name)).map(first));
  take(folder, seen.get(""));
  if (given.entries === null || !untouched.has("")) {
    await everyEntry(folder, take);
    return { size: meter.size(), untouched };
  }
  for (const name of given.entries.filter(isTop)) {
    const [path, stats] = [`${folder}/${name}`, seen.get(name) ?? lstatSync(`${folder}/${name}`)];
    take(path, stats);
    if (!stats.isDirectory()) continue;
    if (!untouched.has(name)) await everyEntry(path, take);
    else for (const held of heldBy(given.entries, name)) await takeTree(`${folder}/${held}`, take);
  }
  return { size: meter.size(), untouched };
}

type Take = (path: string | Buffer, stats?: Stats | BigIntStats) => void;

async function takeTree(path: string, take: Take): Promise<void> {
  const stats = lstatSync(path);
  take(path, stats);
  if (stats.isDirectory()) await everyEntry(path, take);
}

const first = <T>([value]: readonly [T, unknown]): T => value;

/** What lay right below a name of the work folder. */
const heldBy = (entries: readonly string[], name: string): string[] =>
  entries.filter((entry) => entry.startsWith(`${name}/`) && isTop(entry.slice(name.length + 1)));

async function everyEntry(folder: string, visit: (path: Buffer) => void): Promise<void> {
  await walkInSlices(folder, ({ phase, path }) => {
    if (phase === "enter") visit(path);
    return true;
  });
}

const OWN_UID = process.geteuid?.() ?? 0;
const OWN_GID = process.getegid?.() ?? 0;

/** Adds up a folder while a script may be writing in it, and stops early once it is over a limit. */
export async function measureFolder(folder: string, limits: FolderSize): Promise<FolderSize> {
  const meter = new Meter();
  await walkInSlices(folder, ({ phase, path }) => {
    if (phase === "leave") return true;
    const stats = tryLstat(path);
    if (stats !== null) meter.add(stats);
    return meter.within(limits);
  });
  return meter.size();
}

class Meter {
  #bytes = 0;
  #files = 0;
  readonly #linked = new Set<bigint>();

  /** A file with several names counts once in bytes. */
  add(stats: Stats | BigIntStats): void {
    this.#files += 1;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const inode = BigInt(stats.ino);
      if (this.#linked.has(inode)) return;
      this.#linked.add(inode);
    }
    this.#bytes += Number(stats.blocks) * BLOCK_BYTES;
  }

  within(limits: FolderSize): boolean {
    return this.#bytes <= limits.bytes && this.#files <= limits.files;
  }

  size(): FolderSize {
    return { bytes: this.#bytes, files: this.#files };
  }
}

function tryLstat(path: Buffer): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}
