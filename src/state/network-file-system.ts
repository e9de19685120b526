import { readFileSync, statfsSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";

/** Types of network file systems, as the kernel numbers them. @see statfs(2), linux/magic.h and the file systems' own sources */
const MAGIC: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB2"],
  [0xff534d42, "CIFS"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x5346414f, "AFS"],
  [0x01021997, "9P"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
  [0x01161970, "GFS2"],
  [0x7461636f, "OCFS2"],
]);
const FUSE = 0x65735546;
/** FUSE serves both kinds; these names in the mount table are on a network. */
const NETWORK_FUSE =
  /^fuse\.(sshfs|s3fs|rclone|gcsfuse|goofys|glusterfs|ceph-fuse|cephfs|mfs|juicefs|davfs|curlftpfs|smbnetfs|afp)/;

/** Refuses a data directory on a network file system: SQLite's write-ahead log shares memory between processes, which these cannot.
 *  @throws SluiceError DATA_DIR_NETWORK
 *  @see https://sqlite.org/wal.html, section 1 */
export function refuseNetworkFileSystem(
  path: string,
  typeOf: (path: string) => number = (at) => statfsSync(at).type,
  mounts = readMounts,
): void {
  const name = networkFileSystem(path, typeOf(path) >>> 0, mounts);
  if (name === null) return;
  throw new SluiceError(
    "DATA_DIR_NETWORK",
    `Cannot use "${path}" as data directory: it lies on a network file system (${name}), where a database is not safe (choose a local disk with --data; the bytes of objects may stay there: blobs_dir)`,
  );
}

function networkFileSystem(path: string, type: number, mounts: () => string): string | null {
  if (type !== FUSE) return MAGIC.get(type) ?? null;
  return NETWORK_FUSE.exec(mountTypeOf(path, mounts()))?.[0] ?? null;
}

const readMounts = (): string => readFileSync("/proc/self/mountinfo", "utf8");

/** File system type of the innermost mount that holds `path`. @see proc_pid_mountinfo(5) */
function mountTypeOf(path: string, mountinfo: string): string {
  let best = { length: -1, type: "" };
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const mount = (left.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const holds = mount === "/" || path === mount || path.startsWith(`${mount}/`);
    if (mount !== "" && holds && mount.length >= best.length)
      best = { length: mount.length, type: right.split(" ")[0] ?? "" };
  }
  return best.type;
}
