import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { makeFolders } from "../lib/make-folders.ts";
import { unusable } from "../state/data-dir.ts";

/** Names, for the process that is started again below, the place where the data directory is mounted. */
const VISIBLE_DATA = "SLUICE_VISIBLE_DATA";
const MOUNT_ROOT = "/run/sluice";
const OTHERS_MAY_WALK = 0o001;

function realFolder(dir: string): string {
  try {
    makeFolders(dir, 0o710);
    return realpathSync(dir);
  } catch (error) {
    throw unusable(dir, error);
  }
}

/** A path of the data directory that the users of the sandboxes can walk to.
 *
 *  As root, every sandbox has a uid of its own, and bubblewrap resolves the paths it mounts as that uid: a data directory below, say,
 *  /root (mode 0700) would be out of its reach. Then this process starts itself again (same pid) in a mount namespace of its own, in which the
 *  directory is bound to a place below /run; nothing of it shows outside, and nothing is left when the process ends, however it ends.
 *  @throws SluiceError DATA_DIR_INVALID when the directory cannot be made reachable */
export function exposeDataDir(dir: string): string {
  if (process.getuid?.() !== 0) return dir;
  const real = realFolder(dir);
  const closed = closedParent(real);
  if (closed === null) return real;
  const mounted = process.env[VISIBLE_DATA];
  if (mounted !== undefined) {
    delete process.env[VISIBLE_DATA];
    if (sameFolder(mounted, real)) return mounted;
    throw unreachable(real, closed);
  }
  return startAgainWithMount(real, closed);
}

/** The first folder above `dir` that other users may not walk through, or null. */
export function closedParent(dir: string): string | null {
  const parents: string[] = [];
  for (let path = dirname(dir); ; path = dirname(path)) {
    parents.unshift(path);
    if (path === dirname(path)) break;
  }
  return parents.find((path) => (statSync(path).mode & OTHERS_MAY_WALK) === 0) ?? null;
}

/** @throws SluiceError DATA_DIR_INVALID when the sandboxes' users cannot walk to the folder of the blobs: it is not mounted anywhere for them */
export function requireReachable(blobsDir: string): void {
  const closed = closedParent(blobsDir);
  if (closed !== null)
    throw unreachable(
      blobsDir,
      closed,
      "folder of the blobs",
      "choose a blobs_dir whose parents others may walk through",
    );
}

function sameFolder(a: string, b: string): boolean {
  const [x, y] = [statSync(a), statSync(b)];
  return x.dev === y.dev && x.ino === y.ino;
}

function startAgainWithMount(real: string, closed: string): never {
  const place = join(MOUNT_ROOT, createHash("sha256").update(real).digest("hex").slice(0, 16));
  mkdirSync(place, { recursive: true, mode: 0o711 });
  const unshare = ["/usr/bin/unshare", "/bin/unshare"].find(isExecutable);
  if (unshare === undefined) throw unreachable(real, closed);
  const script = 'mount --bind "$1" "$2" || exit 1; shift 2; exec "$@"';
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(
    unshare,
    ["unshare", "--mount", "--propagation", "slave", "/bin/sh", "-c", script, "sluice", real, place, ...again],
    { ...process.env, [VISIBLE_DATA]: place },
  );
  throw unreachable(real, closed);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function unreachable(
  dir: string,
  closed: string,
  what = "data directory",
  cure = "choose a place such as --data /var/lib/sluice",
): SluiceError {
  return new SluiceError(
    "DATA_DIR_INVALID",
    `Cannot use "${dir}" as ${what}: sandboxes run as other users, who may not walk through "${closed}" (${cure})`,
  );
}
