import {
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { copyFile, link, readdir } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { isSluiceError, SluiceError } from "../core/errors.ts";
import { makeFolders } from "../lib/make-folders.ts";
import { blobsPlace, claimBlobsDir } from "./blobs-dir.ts";
import { copyLogs } from "./copy-logs.ts";
import { syncPath } from "./durable-file.ts";
import { openStateCopy } from "./open.ts";
import type { State } from "./state.ts";

export interface BackupOptions {
  readonly state: Pick<State, "backup" | "holdBlobs">;
  /** The data directory that is in use. */
  readonly dataDir: string;
  /** A folder that does not exist yet, in one that does. Absolute. */
  readonly target: string;
}

const DATABASE = join("db", "sluice.db");
/** How many files are linked or copied at once. */
const PARALLEL = 16;

/** Copies a data directory while its server runs: the database at one moment, and every blob that this copy names. Blobs never change, so on one file
 *  system they are hard links, made in no time; elsewhere they are copied. Until it is whole the copy lies beside its place, named `.partial`.
 *  No blob is unlinked meanwhile: the hold is taken before the database is copied. Nothing that was there before is touched or removed, whoever chose the target.
 *  @throws SluiceError BACKUP_INVALID, DISK_FULL */
export async function backup({ state, dataDir, target: given }: BackupOptions): Promise<void> {
  const target = given.replace(/(?<=.)\/+$/, "");
  checkTarget(target, dataDir);
  const partial = `${target}.partial`;
  makePartial(partial, `Cannot back up to "${target}"`);
  const release = state.holdBlobs();
  try {
    mkdirSync(join(partial, "db"), { mode: 0o700 });
    await state.backup(join(partial, DATABASE));
    const blobs = { from: blobsPlace(dataDir), to: join(partial, "blobs") };
    await copyParts(dataDir, partial, join(partial, DATABASE), blobs);
    renameSync(partial, target);
    syncPath(dirname(target));
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw inOurWords(error, `Cannot back up to "${target}"`);
  } finally {
    release();
  }
}

/** Makes a data directory of a backup. Every blob must be there with its size, else nothing is made.
 *  @param blobsDir where its blobs shall lie instead of in it: a folder that is empty or not there. Absolute
 *  @throws SluiceError BACKUP_INVALID, DISK_FULL, DATA_DIR_INVALID */
export async function restore(backupDir: string, dataDir: string, blobsDir: string | null = null): Promise<void> {
  if (!existsSync(join(backupDir, DATABASE))) {
    throw new SluiceError(
      "BACKUP_INVALID",
      `Cannot restore "${backupDir}": it is no backup of Sluice (it has no ${DATABASE})`,
    );
  }
  if (existsSync(dataDir) && (await readdir(dataDir)).length > 0) {
    throw new SluiceError("BACKUP_INVALID", `Cannot restore to "${dataDir}": it is not empty (choose a new directory)`);
  }
  if (blobsDir !== null && existsSync(blobsDir) && (await readdir(blobsDir)).length > 0) {
    throw new SluiceError(
      "BACKUP_INVALID",
      `Cannot restore to "${blobsDir}": it is not empty (choose a new directory)`,
    );
  }
  const partial = `${dataDir}.partial`;
  makePartial(partial, `Cannot restore to "${dataDir}"`);
  try {
    mkdirSync(join(partial, "db"), { mode: 0o700 });
    await copyFile(join(backupDir, DATABASE), join(partial, DATABASE), constants.COPYFILE_FICLONE);
    chmodSync(join(partial, DATABASE), 0o600);
    syncPath(join(partial, DATABASE));
    const blobs = { from: join(backupDir, "blobs"), to: claimBlobsDir(partial, blobsDir) };
    await copyParts(backupDir, partial, join(backupDir, DATABASE), blobs);
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(partial, dataDir);
    syncPath(dirname(dataDir));
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (blobsDir !== null) await emptyFolder(blobsDir);
    throw inOurWords(error, `Cannot restore "${backupDir}"`);
  }
}

/** Removes what a restore made in a folder that was empty or not there. */
async function emptyFolder(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const name of await readdir(path)) rmSync(join(path, name), { recursive: true });
}

/** Folders of blobs, on both sides. */
interface BlobFolders {
  readonly from: string;
  readonly to: string;
}

/** All but the database: blobs, logs, credentials, version. */
async function copyParts(from: string, to: string, database: string, blobs: BlobFolders): Promise<void> {
  const copy = await openStateCopy("sqlite", database);
  const folders = new Set<string>();
  try {
    for await (const chunk of copy.blobs()) {
      for (let at = 0; at < chunk.length; at += PARALLEL) {
        await Promise.all(chunk.slice(at, at + PARALLEL).map((blob) => copyBlob(blobs, blob, folders)));
      }
    }
  } finally {
    copy.close();
  }
  for (const folder of folders) syncPath(folder);
  await copyLogs(join(from, "logs"), join(to, "logs"));
  for (const name of ["admin.json", "VERSION"]) {
    if (existsSync(join(from, name)))
      writeFileSync(join(to, name), readFileSync(join(from, name)), { mode: 0o600, flush: true });
  }
  for (const path of [join(to, "db"), to]) syncPath(path);
}

async function copyBlob(
  { from, to }: BlobFolders,
  { blobId, sizeBytes }: { blobId: string; sizeBytes: number },
  folders: Set<string>,
): Promise<void> {
  const name = join(blobId.slice(0, 2), blobId);
  const size = statSync(join(from, name), { throwIfNoEntry: false })?.size;
  if (size !== sizeBytes) {
    const state = size === undefined ? "is missing" : `has ${size} bytes instead of ${sizeBytes}`;
    throw new SluiceError("BACKUP_INVALID", `the bytes of an object are damaged: blob ${blobId} ${state}`);
  }
  const target = join(to, name);
  if (!folders.has(dirname(target))) makeFolders(dirname(target), 0o700);
  folders.add(dirname(target)).add(to);
  await link(join(from, name), target).catch(async (error: NodeJS.ErrnoException) => {
    // Another file system, one without hard links, or a limit on links.
    if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP"].includes(error.code ?? "")) throw error;
    await copyFile(join(from, name), target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    syncPath(target);
  });
}

function makePartial(partial: string, what: string): void {
  try {
    makeFolders(dirname(partial), 0o700);
    mkdirSync(partial, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw inOurWords(error, what);
    const cure = "remove what an unfinished one left, or choose a new folder";
    throw new SluiceError("BACKUP_INVALID", `${what}: "${partial}" exists (${cure})`);
  }
}

function checkTarget(target: string, dataDir: string): void {
  const refuse = (state: string): never => {
    throw new SluiceError("BACKUP_INVALID", `Cannot back up to "${target}": ${state}`);
  };
  if (!isAbsolute(target)) refuse("the path is not absolute");
  if (target.includes("\0")) refuse("the path holds a NUL character");
  if (existsSync(target)) refuse("it exists (choose a new folder)");
  if (!existsSync(dirname(target))) refuse(`the folder "${dirname(target)}" does not exist (make it first)`);
  // By their real paths: a link may lead inside.
  if (`${realpathSync(dirname(target))}/`.startsWith(`${realpathSync(dataDir)}/`))
    refuse("it lies inside the data directory (choose a place outside)");
  if (`${realpathSync(dirname(target))}/`.startsWith(`${blobsPlace(dataDir)}/`))
    refuse("it lies inside the folder of the blobs (choose a place outside)");
}

function inOurWords(error: unknown, what: string): unknown {
  if (isSluiceError(error, "BACKUP_INVALID") && !error.message.startsWith("Cannot"))
    return new SluiceError("BACKUP_INVALID", `${what}: ${error.message}`);
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "ENOSPC" || code === "EDQUOT")
    return new SluiceError("DISK_FULL", `${what}: its file system is full (free some space)`, { cause: error });
  if (error instanceof SluiceError || !(error instanceof Error)) return error;
  const why = code === "ENOTDIR" ? "a part of the path is no folder" : error.message;
  return new SluiceError("BACKUP_INVALID", `${what}: ${why}`, { cause: error });
}
