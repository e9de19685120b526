import { SluiceError } from "../../../core/errors.ts";
import type { NetworkMode } from "../../../core/service.ts";
import type { SandboxMount } from "../../sandbox.ts";

export interface BwrapJob {
  /** Host path of a whole root, writable; null where it is put together by `root`. */
  readonly wholeRoot: string | null;
  /** Options for the parts of the root, all read-only. */
  readonly root: readonly string[];
  readonly mounts: readonly SandboxMount[];
  readonly workingDirectory: string;
  readonly env: Readonly<Record<string, string>>;
  /** `outbound` is the network of the one who starts bubblewrap. */
  readonly network: NetworkMode;
  /** Host path of what the sandbox sees as /etc/resolv.conf; null where its root has the right one. */
  readonly resolvConf: string | null;
  readonly hostname: string;
  readonly insideUid: number;
  readonly insideGid: number;
  /** Bubblewrap before 0.8 cannot forbid further user namespaces. */
  readonly disablesUserns: boolean;
  /** Bytes of /dev/shm, where no control group counts it as memory; else null. */
  readonly sharedMemoryBytes: number | null;
  /** The host path of a mount's source as the slot's user can reach it. */
  readonly visiblePath: (path: string) => string;
}

/** Bubblewrap takes 9,000 options; what is left of them after mounts is plenty, three a variable. */
const MAX_VARIABLES = 2_500;

/** The NUL-separated options that bubblewrap reads from a descriptor: nothing of them, the environment above all, is ever on a
 *  command line. Without a capability, without new privileges (bubblewrap sets both itself), without further user namespaces.
 *  @throws SluiceError SERVICE_INVALID for what bubblewrap cannot be told */
export function bwrapArgs(job: BwrapJob): Buffer {
  const args = [
    "--unshare-user",
    ...(job.disablesUserns ? ["--disable-userns"] : []),
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    ...(job.network === "none" ? ["--unshare-net"] : []),
    "--new-session",
    ...["--cap-drop", "ALL"],
    ...["--uid", String(job.insideUid), "--gid", String(job.insideGid), "--hostname", job.hostname],
    ...(job.wholeRoot === null ? [] : ["--bind", job.wholeRoot, "/"]),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...job.root,
    ...(job.resolvConf === null ? [] : ["--ro-bind-try", job.resolvConf, "/etc/resolv.conf"]),
    ...sharedMemory(job.sharedMemoryBytes),
    ...job.mounts.flatMap((mount) => mountOptions(mount, job.visiblePath)),
    ...(job.wholeRoot === null ? ["--remount-ro", "/"] : []),
    ...["--chdir", job.workingDirectory, "--clearenv"],
    ...environmentOptions(job.env),
  ];
  return Buffer.from(`${args.join("\0")}\0`);
}

function sharedMemory(bytes: number | null): string[] {
  return bytes === null
    ? []
    : ["--size", String(bytes), "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"];
}

function mountOptions(mount: SandboxMount, visiblePath: (path: string) => string): string[] {
  if (!mount.target.startsWith("/") || mount.target.includes("\0") || mount.target.split("/").includes("..")) {
    throw new SluiceError("INTERNAL", `Cannot mount at '${mount.target}': it is not an absolute path without '..'`);
  }
  return [mount.readOnly ? "--ro-bind" : "--bind", visiblePath(mount.source), mount.target];
}

function environmentOptions(env: Readonly<Record<string, string>>): string[] {
  const variables = Object.entries(env);
  if (variables.length > MAX_VARIABLES) {
    throw new SluiceError("SERVICE_INVALID", `Cannot start the script: more than ${MAX_VARIABLES} variables`);
  }
  return variables.flatMap(([name, value]) => {
    if (name === "" || name.includes("=") || name.includes("\0") || value.includes("\0")) {
      throw new SluiceError(
        "SERVICE_INVALID",
        `Cannot start the script: variable '${name}' has a name or value that no program can take`,
      );
    }
    return ["--setenv", name, value];
  });
}
