import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { makeFolders } from "../lib/make-folders.ts";
import { claimBlobsDir } from "./blobs-dir.ts";
import { acquireDirLock, type DirLock } from "./dir-lock.ts";
import { DiskReserve } from "./disk-reserve.ts";
import { syncPath } from "./durable-file.ts";
import { refuseNetworkFileSystem } from "./network-file-system.ts";

/** Version of the directory's layout; the database has its own. */
const LAYOUT_VERSION = 1;

export interface DataDirOptions {
  /** The group of the sandboxes' users when the server is root: they walk through DIR, `blobs` and `work`, and list none of them. Null for nobody. */
  readonly slotsGid: number | null;
  /** Where blobs lie instead of `DIR/blobs`; absolute. Default null. */
  readonly blobsDir?: string | null;
  /** How long a second process waits for the first to end. Default 10 s. */
  readonly waitMs?: number;
}

/** An open data directory: no other process has it until `close`, or until this process ends, however it ends.
 *  ```
 *  DIR/VERSION     layout version; a newer one is refused
 *  DIR/lock        the lock, DIR/lock.pid who has it
 *  DIR/clean       there while no server runs and the last one ended in order
 *  DIR/reserve     64 MiB that are given up when the disk is full
 *  DIR/db/         the database          DIR/logs/   logs of jobs
 *  DIR/blobs/      bytes of objects      DIR/work/   folders of running attempts
 *  DIR/images/     layers of container images
 *  DIR/blobs-dir   where the bytes of objects lie when that is not DIR/blobs
 *  ```
 *  `admin.json` and `server.json` are written by those who own them. */
export interface DataDir {
  /** Real and absolute. */
  readonly path: string;
  /** The same at every start, another for each directory: names what lies outside of it. */
  readonly id: string;
  readonly database: string;
  readonly blobs: string;
  readonly work: string;
  readonly images: string;
  readonly logs: string;
  /** True when the last process did not end in order. */
  readonly unclean: boolean;
  /** Not made by opening: that is for whoever keeps it. */
  readonly reserve: DiskReserve;
  /** `clean` says that everything was closed in order. */
  close(clean: boolean): void;
}

/** Opens a directory, and makes it first where there is none.
 *  @throws SluiceError DATA_DIR_LOCKED, DATA_DIR_NEWER, DATA_DIR_NETWORK, DATA_DIR_INVALID */
export async function openDataDir(
  dir: string,
  { slotsGid, blobsDir = null, waitMs = 10_000 }: DataDirOptions,
): Promise<DataDir> {
  const path = makeRoot(resolve(dir), slotsGid);
  refuseNetworkFileSystem(path);
  const lock = await acquireDirLock(path, waitMs);
  try {
    checkVersion(path);
    for (const name of ["db", "logs"]) makeFolder(join(path, name), 0o700, null);
    const blobs = claimBlobsDir(path, blobsDir);
    for (const folder of [blobs, join(path, "work"), join(path, "images")])
      makeFolder(folder, slotsGid === null ? 0o700 : 0o710, slotsGid);
    return opened(path, blobs, lock, takeCleanMark(path));
  } catch (error) {
    lock.release();
    throw error;
  }
}

function opened(path: string, blobs: string, lock: DirLock, wasClean: boolean): DataDir {
  return {
    path,
    id: createHash("sha256").update(path).digest("hex").slice(0, 16),
    database: join(path, "db", "sluice.db"),
    blobs,
    work: join(path, "work"),
    images: join(path, "images"),
    logs: join(path, "logs"),
    unclean: !wasClean,
    reserve: new DiskReserve(join(path, "reserve")),
    close(clean) {
      if (clean) writeFileSync(cleanMark(path), "", { mode: 0o600 });
      lock.release();
    },
  };
}

const cleanMark = (path: string): string => join(path, "clean");

/** A new directory counts as clean. The mark goes at start and comes back at an orderly end. */
function takeCleanMark(path: string): boolean {
  const isNew = !existsSync(join(path, "db", "sluice.db"));
  const clean = existsSync(cleanMark(path));
  rmSync(cleanMark(path), { force: true });
  return isNew || clean;
}

/** What may lie in a directory whose first start was cut short; `lost+found` is that of a file system of its own. */
const OWN_NAMES =
  /^(VERSION|lock|lock\.pid|clean|reserve|db|logs|blobs|blobs-dir(\.new)?|work|images|admin\.json|server\.json|lost\+found)$/;

/** A folder of somebody else's, say a home, must not get our modes. */
function refuseForeignFolder(dir: string): void {
  if (!existsSync(dir) || existsSync(join(dir, "VERSION"))) return;
  const foreign = readdirSync(dir).find((name) => !OWN_NAMES.test(name));
  if (foreign === undefined) return;
  throw new Error(`it holds other files ("${foreign}")`);
}

function makeRoot(dir: string, slotsGid: number | null): string {
  try {
    refuseForeignFolder(dir);
    const first = makeFolders(dir, 0o700);
    makeFolder(dir, slotsGid === null ? 0o700 : 0o710, slotsGid);
    if (first !== undefined) syncNewFolders(dir, dirname(first));
    return realpathSync(dir);
  } catch (error) {
    throw unusable(dir, error);
  }
}

/** @param error of the system, or what else is wrong with it */
export function unusable(dir: string, error: unknown): SluiceError {
  return new SluiceError(
    "DATA_DIR_INVALID",
    `Cannot use "${dir}" as data directory: ${(error as Error).message} (choose another with --data)`,
    { cause: error },
  );
}

/** The name of a new folder is safe once the folder above it is synced: all that were just made, up to one that was there. */
function syncNewFolders(dir: string, existing: string): void {
  for (let path = dir; path !== existing; path = dirname(path)) syncPath(dirname(path));
}

/** Modes are set apart from mkdir, which the umask would weaken, and anew at each start: the server may have become root. */
function makeFolder(path: string, mode: number, gid: number | null): void {
  const isNew = !existsSync(path);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (gid !== null) giveToGroup(path, gid);
  chmodSync(path, mode);
  if (isNew) syncPath(dirname(path));
}

function giveToGroup(path: string, gid: number): void {
  try {
    chownSync(path, 0, gid);
  } catch (error) {
    const cure = "a network file system must be exported without root_squash, or the server be an ordinary user";
    throw new SluiceError(
      "DATA_DIR_INVALID",
      `Cannot give "${path}" to the sandboxes' group: ${(error as Error).message} (${cure})`,
      {
        cause: error,
      },
    );
  }
}

function checkVersion(path: string): void {
  const file = join(path, "VERSION");
  if (!existsSync(file)) {
    writeFileSync(file, `${LAYOUT_VERSION}\n`, { mode: 0o600, flush: true });
    syncPath(path);
    return;
  }
  const version = Number(readFileSync(file, "utf8"));
  if (version > LAYOUT_VERSION) {
    throw new SluiceError(
      "DATA_DIR_NEWER",
      `Cannot use "${path}": a newer Sluice wrote it (layout ${version}, this one knows ${LAYOUT_VERSION}; upgrade Sluice)`,
    );
  }
  if (!Number.isInteger(version) || version < 1) {
    throw new SluiceError(
      "DATA_DIR_INVALID",
      `Cannot use "${path}": its VERSION file is damaged (restore it from a backup)`,
    );
  }
}
