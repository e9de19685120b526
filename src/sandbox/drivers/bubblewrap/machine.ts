import { execFile } from "node:child_process";
import { accessSync, chmodSync, constants, lstatSync, mkdirSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { SluiceError } from "../../../core/errors.ts";

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
  const places = [root ? "/run" : process.env.XDG_RUNTIME_DIR, "/dev/shm", tmpdir()].filter(
    (place) => place !== undefined,
  );
  const sorted = [...places.filter(isInMemory), ...places.filter((place) => !isInMemory(place))];
  const paths = configured === undefined ? sorted.map((place) => `${place}/${name}`) : [configured];
  for (const path of paths) if (claimFolder(path)) return path;
  throw new SluiceError("SANDBOX_UNAVAILABLE", `Cannot make a folder for running sandboxes: tried ${paths.join(", ")}`);
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
    const stats = lstatSync(path);
    if (!stats.isDirectory() || stats.uid !== process.geteuid?.()) return false;
    chmodSync(path, 0o711);
    return true;
  } catch {
    return false;
  }
}
