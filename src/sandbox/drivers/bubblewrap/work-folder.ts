import { chmodSync, lchownSync, lstatSync, readdirSync, type Stats } from "node:fs";
import { walkInSlices } from "../../../lib/walk-tree.ts";
import type { SlotUser } from "./slot.ts";

/** What a work folder holds: allocated bytes, and files of every kind, folders included. */
export interface FolderSize {
  readonly bytes: number;
  readonly files: number;
}

/** Unit of `st_blocks`, whatever the file system's own is. */
const BLOCK_BYTES = 512;
const OWNER_FILE = 0o600;
const OWNER_FOLDER = 0o700;

/** When the inodes of a work folder, by name, last changed before a script could reach them. */
export type GivenTimes = ReadonlyMap<string, bigint>;

/** Makes the slot's user the owner of the folder and all that the supervisor put in it. Nothing may run in it.
 *
 *  Nobody can set the time of an inode's last change, and every change sets it: that tells afterwards what a script left alone, in ways that Node
 *  cannot read too. The clock behind it may be coarse, so `output` is given once more, last: what changed before that, by that same
 *  clock, cannot be taken for what a script changes later. Anything else is left out of the answer. */
export async function giveFolder(
  folder: string,
  user: SlotUser | null,
  output: string | undefined,
): Promise<GivenTimes> {
  if (user !== null) {
    lchownSync(folder, user.uid, user.gid);
    await walkInSlices(folder, ({ phase, path }) => {
      if (phase === "enter") lchownSync(path, user.uid, user.gid);
      return true;
    });
  }
  if (output === undefined) return new Map();
  // Looking at an inode also makes newer kernels (6.13) take a finer clock for its next change.
  const times = ["", ...readdirSync(folder)].map((name) => [name, changeTime(`${folder}/${name}`)] as const);
  lchownSync(output, user?.uid ?? UNCHANGED, user?.gid ?? UNCHANGED);
  const end = changeTime(output);
  return new Map(times.filter(([, time]) => time < end));
}

/** Names of what has not changed since it was given. Every process of the sandbox must be gone, and the folder not yet be taken back. */
export function untouchedSince(folder: string, given: GivenTimes): Set<string> {
  return new Set([...given].filter(([name, time]) => changeTime(`${folder}/${name}`) === time).map(([name]) => name));
}

/** 0 for what is gone. */
const changeTime = (path: string): bigint => lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ctimeNs ?? 0n;
/** For `chown`: no other owner, but the time of the change all the same. */
const UNCHANGED = -1;

/** Makes the server the owner again and the only one with rights: modes 0600 and 0700, so no set-id bits and no access list counts any
 *  more (its mask becomes empty). Says what the folder holds. Every process of the sandbox must be gone: then the tree stands still,
 *  and no link can turn a call elsewhere. */
export async function takeFolderBack(folder: string, user: SlotUser | null): Promise<FolderSize> {
  const meter = new Meter();
  const take = (path: string | Buffer, isFolder: boolean): void => {
    const stats = lstatSync(path);
    meter.add(stats);
    if (user !== null) lchownSync(path, OWN_UID, OWN_GID);
    if (!stats.isSymbolicLink()) chmodSync(path, isFolder ? OWNER_FOLDER : OWNER_FILE);
  };
  take(folder, true);
  await walkInSlices(folder, ({ phase, kind, path }) => {
    if (phase === "enter") take(path, kind === "folder");
    return true;
  });
  return meter.size();
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
  readonly #linked = new Set<number>();

  /** A file with several names counts once in bytes. */
  add(stats: Stats): void {
    this.#files += 1;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      if (this.#linked.has(stats.ino)) return;
      this.#linked.add(stats.ino);
    }
    this.#bytes += stats.blocks * BLOCK_BYTES;
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
