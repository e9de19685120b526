import { constants, statSync } from "node:fs";
import { chmod, chown, lstat, mkdir, readdir, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { newBlobId } from "../core/ids.ts";
import { chmodFile, chownFile, closeFile, openFile, statFile, systemCode } from "./disk-io.ts";

/** Blobs that share a folder before the next one begins: so that their fsyncs of it can be shared, while folders fill evenly. */
const BLOBS_PER_TURN = 64;
const SETTLED_AT_ONCE = 500;
const PREFIXES = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
const SHARED_FOLDER_MODE = 0o2710;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Who may read a blob: the server alone, or the slots of running sandboxes too. Nobody may write one. */
export interface BlobAccess {
  readonly mode: number;
  /** Null keeps the group that a new file gets by itself. */
  readonly gid: number | null;
}

export const blobAccess = (slotsGid: number | null): BlobAccess =>
  slotsGid === null ? { mode: 0o400, gid: null } : { mode: 0o440, gid: slotsGid };

/** Names and places of blob files: `FOLDER/<first 2 hex>/<32 hex>`. */
export class BlobFolder {
  readonly path: string;
  readonly access: BlobAccess;
  #prefix = "";
  #turn = 0;
  #fixModeAndGroup = false;
  /** Ids of files that this process made and that no row was seen to name yet. */
  readonly #unsettled = new Set<string>();

  private constructor(path: string, access: BlobAccess) {
    this.path = path;
    this.access = access;
  }

  /** Makes the 256 folders, and mends those that a restored backup brought, or a server with another group. With a group they are setgid, so
   *  that files get it without a call each. */
  static async open(path: string, access: BlobAccess): Promise<BlobFolder> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const folders = PREFIXES.map((name) => join(path, name));
    await Promise.all(folders.filter((each) => !isOpenTo(each, access.gid)).map((each) => mendFolder(each, access)));
    await makeFolder(path, access.gid);
    const folder = new BlobFolder(path, access);
    await folder.#probe();
    return folder;
  }

  /** Whether umask and mount options leave new files as they should be is found out once; if not, each file is mended. */
  async #probe(): Promise<void> {
    const id = newBlobId();
    const fd = await openFile(this.pathOf(id), CREATE, this.access.mode);
    try {
      const stats = await statFile(fd);
      const groupIsRight = this.access.gid === null || stats.gid === this.access.gid;
      this.#fixModeAndGroup = (stats.mode & 0o7777) !== this.access.mode || !groupIsRight;
    } finally {
      await closeFile(fd);
      await rm(this.pathOf(id));
    }
  }

  /** 120 random bits behind the folder's two digits: a path that leaks names no other blob. */
  newId(): string {
    const id = newBlobId();
    if (this.#turn % BLOBS_PER_TURN === 0) this.#prefix = id.slice(0, 2);
    this.#turn += 1;
    return this.#prefix + id.slice(2);
  }

  /** The same for a file that comes about otherwise than by `create`. */
  newFileId(): string {
    const blobId = this.newId();
    this.#unsettled.add(blobId);
    return blobId;
  }

  pathOf(blobId: string): string {
    return `${this.folderOf(blobId)}/${blobId}`;
  }

  folderOf(blobId: string): string {
    return `${this.path}/${blobId.slice(0, 2)}`;
  }

  /** A new empty file, open for writing. */
  async create(blobId: string): Promise<number> {
    this.#unsettled.add(blobId);
    const fd = await openFile(this.pathOf(blobId), CREATE, this.access.mode);
    if (this.#fixModeAndGroup) await this.protect(fd);
    return fd;
  }

  /** Gives a file the owner, group and mode of a blob. Changing the owner drops file capabilities, and changing the mode drops setuid bits
   *  and makes the group's bits the mask of an ACL, so that no entry of one can grant writing; Node cannot remove the entries themselves
   *  (it has no call for extended attributes), and reading is what the slots may do anyway. */
  async protect(fd: number): Promise<void> {
    const uid = process.geteuid?.() ?? -1;
    const gid = this.access.gid ?? process.getegid?.() ?? -1;
    if (uid === 0 || this.access.gid !== null) await chownFile(fd, uid, gid);
    await chmodFile(fd, this.access.mode);
  }

  /** Removes a blob's file; one that is gone is as good. */
  async remove(blobId: string): Promise<void> {
    try {
      await unlink(this.pathOf(blobId));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    this.#unsettled.delete(blobId);
  }

  /** Bytes of a blob's file; null when there is none. */
  async sizeOf(blobId: string): Promise<number | null> {
    try {
      return (await lstat(this.pathOf(blobId))).size;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      return null;
    }
  }

  /** Forgets which files are this process's own once they have a row: from then on the rows alone say what becomes of them. */
  async settle(unknownOf: (blobIds: readonly string[]) => Promise<readonly string[]>): Promise<void> {
    const all = [...this.#unsettled];
    for (let at = 0; at < all.length; at += SETTLED_AT_ONCE) {
      const asked = all.slice(at, at + SETTLED_AT_ONCE);
      const unknown = new Set(await unknownOf(asked));
      for (const blobId of asked) if (!unknown.has(blobId)) this.#unsettled.delete(blobId);
    }
  }

  /** Ids of the files, a folder at a time, without those that this process made and that are not settled: whether their rows exist is still
   *  being decided. So a file that is listed, that no row names after that, and that is there after that too, is nobody's. */
  async *list(): AsyncGenerator<string[]> {
    for (const prefix of PREFIXES) {
      const names = await readdir(join(this.path, prefix));
      const ids = names.filter((name) => /^[0-9a-f]{32}$/.test(name) && !this.#unsettled.has(name));
      if (ids.length > 0) yield ids;
    }
  }
}

/** Sync calls, because 256 async ones would take most of the time that a start has. */
function isOpenTo(path: string, gid: number | null): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && (gid === null || (stats.gid === gid && (stats.mode & 0o7777) === SHARED_FOLDER_MODE));
}

/** The folder becomes right last: a crash before that begins anew. */
async function mendFolder(path: string, access: BlobAccess): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  for (const name of access.gid === null ? [] : await readdir(path)) {
    await chown(join(path, name), process.geteuid?.() ?? -1, access.gid ?? -1);
    await chmod(join(path, name), access.mode);
  }
  await makeFolder(path, access.gid);
}

/** The slots pass through the folders (x) but cannot list them: names are secret. */
async function makeFolder(path: string, gid: number | null): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (gid === null) return;
  await chown(path, process.geteuid?.() ?? -1, gid);
  await chmod(path, SHARED_FOLDER_MODE);
}
