import { execFile } from "node:child_process";
import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** One thing about this machine, in the form of the sandbox's guards. */
export interface MachineCheck {
  readonly name: string;
  readonly state: "good" | "weaker" | "missing";
  /** What was found. */
  readonly found: string;
  /** The line that mends it; empty when there is nothing to do. */
  readonly mend: string;
}

const VERSION_WITHIN_MS = 5000;

/** The version that a program prints, or null when it is not installed. */
export async function programVersion(program: string, flag: string): Promise<string | null> {
  try {
    const { stdout } = await execute(program, [flag], { timeout: VERSION_WITHIN_MS });
    return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? "unknown version";
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    return "does not start";
  }
}

/** Programs that Sluice runs on, and those that the demo's scripts call.
 *  @param driver of the sandboxes: only one of them needs bubblewrap */
export async function checkPrograms(driver: string, version = programVersion): Promise<MachineCheck[]> {
  const setup = "bash scripts/setup.sh";
  const [bwrap, magick, ffmpeg] = await Promise.all([
    version("bwrap", "--version"),
    version("magick", "--version").then((found) => found ?? version("convert", "--version")),
    version("ffmpeg", "-version"),
  ]);
  return [
    { name: "node", state: "good", found: process.versions.node, mend: "" },
    ...(driver === "bubblewrap"
      ? [program("bubblewrap", bwrap, "missing", `${setup}   (or install the package "bubblewrap")`)]
      : []),
    program("imagemagick", magick, "weaker", `${setup}   (the demo's pictures need it)`),
    program("ffmpeg", ffmpeg, "weaker", `${setup}   (examples/video needs it)`),
  ];
}

function program(name: string, found: string | null, without: "weaker" | "missing", mend: string): MachineCheck {
  return found === null
    ? { name, state: without, found: "not installed", mend }
    : { name, state: "good", found, mend: "" };
}

/** Most files that a process may open, against what a server here needs to start (`least`) and to hold nobody back (`plenty`). */
export function checkOpenFiles(limit: number, least: number, plenty: number): MachineCheck {
  const name = "open-files";
  const found = Number.isFinite(limit) ? `${limit} at once` : "no limit";
  if (limit >= plenty) return { name, state: "good", found, mend: "" };
  const mend = `ulimit -n ${plenty}   (or LimitNOFILE= of the service)`;
  if (limit < least) return { name, state: "missing", found: `${found}: a server needs ${least}`, mend };
  return { name, state: "weaker", found: `${found}: fewer clients than usual are served at once`, mend };
}

/** The first lines of linux/magic.h and of the file systems that set their own: type number → name, and whether it lies on another machine. */
const FILE_SYSTEMS: Readonly<
  Record<number, { readonly name: string; readonly network?: true; readonly volatile?: true }>
> = {
  61267: { name: "ext4" },
  1481003842: { name: "xfs" },
  2435016766: { name: "btrfs" },
  801189825: { name: "zfs" },
  4076150800: { name: "f2fs" },
  2035054128: { name: "overlay" },
  16914836: { name: "tmpfs", volatile: true },
  26985: { name: "nfs", network: true },
  4283649346: { name: "cifs", network: true },
  4266872130: { name: "smb", network: true },
  20859: { name: "smb", network: true },
  12805120: { name: "ceph", network: true },
  198183888: { name: "lustre", network: true },
  1196443219: { name: "gpfs", network: true },
  1397113167: { name: "afs", network: true },
  16914839: { name: "9p", network: true },
  1702057286: { name: "fuse" },
};

/** Where a data directory would lie: its file system, and whether this user may write there. */
export async function checkDataFolder(folder: string): Promise<MachineCheck[]> {
  const path = resolve(folder);
  const existing = await nearestExisting(path);
  const checks = [fileSystemCheck(path, (await statfs(existing)).type)];
  if (!(await mayWrite(existing))) checks.push(notWritable("data-writable", existing, "sluice doctor --data DIR"));
  return checks;
}

/** Where blobs would lie apart from the data directory: a network file system is as good there. */
export async function checkBlobsFolder(folder: string): Promise<MachineCheck[]> {
  const path = resolve(folder);
  const existing = await nearestExisting(path);
  const found = fileSystemCheck(path, (await statfs(existing)).type).found.replace(/: a network.*/, "");
  const file: MachineCheck = { name: "blobs-file-system", state: "good", found, mend: "" };
  return (await mayWrite(existing))
    ? [file]
    : [file, notWritable("blobs-writable", existing, "give another blobs_dir")];
}

function notWritable(name: string, folder: string, mend: string): MachineCheck {
  return { name, state: "missing", found: `this user may not write in "${folder}"`, mend };
}

export function fileSystemCheck(path: string, type: number): MachineCheck {
  const known = FILE_SYSTEMS[type];
  const found = `${known?.name ?? `type 0x${type.toString(16)}`} at ${path}`;
  if (known?.network) {
    return {
      name: "data-file-system",
      state: "missing",
      found: `${found}: a network file system`,
      mend: "sluice up --data DIR-ON-A-LOCAL-DISK",
    };
  }
  if (known?.volatile) {
    return {
      name: "data-file-system",
      state: "weaker",
      found: `${found}: gone after a restart of the machine`,
      mend: "sluice up --data DIR-ON-A-DISK",
    };
  }
  return { name: "data-file-system", state: "good", found, mend: "" };
}

async function nearestExisting(path: string): Promise<string> {
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  return there || dirname(path) === path ? path : nearestExisting(dirname(path));
}

const mayWrite = (path: string): Promise<boolean> =>
  access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
