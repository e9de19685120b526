import { execFile } from "node:child_process";
import { accessSync, chmodSync, constants, lstatSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { SluiceError } from "../../../core/errors.ts";
import { errno } from "../../../lib/errno.ts";
import { removeTree } from "../../../lib/remove-tree.ts";
import { ownedName, ownerIsGone } from "./owned-name.ts";

/** The bubblewrap program of this machine. */
export interface Bwrap {
  readonly path: string;
  readonly version: string;
  /** Since 0.8: no further user namespaces inside. */
  readonly disablesUserns: boolean;
}

/** Finds bubblewrap: the configured path, else in PATH; null when it is not there. */
export async function findBwrap(configured: string | undefined): Promise<Bwrap | null> {
  const folders = (process.env.PATH ?? "/usr/bin:/bin").split(":");
  const candidates = configured === undefined ? folders.map((folder) => `${folder}/bwrap`) : [configured];
  const path = candidates.find((candidate) => candidate.startsWith("/") && isExecutable(candidate));
  if (path === undefined) return null;
  const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000 });
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return {
    path,
    version: stdout.trim().replace("bubblewrap ", ""),
    disablesUserns: Number(major) > 0 || Number(minor) >= 8,
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The folder for pipes, option files and the made /etc: in memory where the machine has such a place, because a job's environment
 *  stands there for the time of its start. Owned by the server; others may pass but not list.
 *  @throws SluiceError SANDBOX_UNAVAILABLE when no place can be had */
export function makeRuntimeFolder(configured: string | undefined, name: string, root: boolean): string {
  const places = runtimePlaces(root);
  const sorted = [...places.filter(isInMemory), ...places.filter((place) => !isInMemory(place))];
  const paths = configured === undefined ? sorted.map((place) => `${place}/${ownedName(name)}`) : [configured];
  for (const path of paths) if (claimFolder(path)) return path;
  throw new SluiceError("SANDBOX_UNAVAILABLE", `Cannot make a folder for running sandboxes: tried ${paths.join(", ")}`);
}

function runtimePlaces(root: boolean): string[] {
  const first = root ? "/run" : process.env.XDG_RUNTIME_DIR;
  return [...(first === undefined ? [] : [first]), "/dev/shm", tmpdir()];
}

/** Removes the runtime folders that servers of this user left when they were killed: environments of their last jobs stand in there. */
export async function removeLeftFolders(root: boolean): Promise<void> {
  for (const place of runtimePlaces(root)) {
    const left = readdirSync(place).filter((entry) => ownerIsGone(entry) && isOwnFolder(`${place}/${entry}`));
    for (const entry of left) await removeWithOthers(`${place}/${entry}`);
  }
}

/** Another server that starts now may be at it too, and each finds that something was just removed. */
async function removeWithOthers(path: string): Promise<void> {
  for (;;) {
    try {
      return await removeTree(path);
    } catch (error) {
      if (errno(error) !== "ENOENT") throw error;
    }
  }
}

function isOwnFolder(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.();
}

/** `f_type` of a tmpfs. @see statfs(2) */
const TMPFS = 0x01021994;

/** Some machines have /run on disk. There each start would write a journal three times over. */
function isInMemory(place: string): boolean {
  try {
    return statfsSync(place).type === TMPFS;
  } catch {
    return false;
  }
}

/** False when the folder cannot be made, or somebody else made it: these places are open to everybody. */
function claimFolder(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true, mode: 0o711 });
    if (!isOwnFolder(path)) return false;
    chmodSync(path, 0o711);
    return true;
  } catch {
    return false;
  }
}
