import { readFileSync } from "node:fs";
import type { CgroupTree, NoCgroups } from "./cgroup.ts";
import { processesOf } from "./cgroup-file.ts";
import { type ControllerMount, openV1Tree, type V1Mounts } from "./cgroup-v1.ts";
import { availableControllers, mayDivide, openV2Tree } from "./cgroup-v2.ts";

/** What the kernel says of cgroups to this process: the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`. */
export interface CgroupView {
  readonly mountinfo: string;
  readonly selfCgroup: string;
}

function readCgroupView(): CgroupView {
  return {
    mountinfo: readFileSync("/proc/self/mountinfo", "utf8"),
    selfCgroup: readFileSync("/proc/self/cgroup", "utf8"),
  };
}

/** Opens the control groups of the server `name`: version 2 where it gives memory and pids, else version 1, else says why not.
 *  `root` says whether this process is root. */
export function openCgroups(name: string, root: boolean, view: CgroupView = readCgroupView()): CgroupTree | NoCgroups {
  const mounts = parseMounts(view.mountinfo);
  const second = mounts.find((mount) => mount.type === "cgroup2");
  if (second !== undefined) {
    const opened = tryV2(second, name, root, view);
    if ("version" in opened || !mounts.some((mount) => mount.type === "cgroup")) return opened;
  }
  return tryV1(mounts, name, view);
}

interface Mount {
  readonly type: "cgroup" | "cgroup2";
  /** The group that the mount shows as its top. */
  readonly top: string;
  readonly path: string;
  readonly options: readonly string[];
}

/** @see proc_pid_mountinfo(5) */
function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , top, path] = left.split(" ");
    const [type, , options = ""] = right.split(" ");
    if ((type !== "cgroup" && type !== "cgroup2") || top === undefined || path === undefined) return [];
    return [{ type, top, path, options: options.split(",") }];
  });
}

const CONTROLLERS_NEEDED = ["memory", "pids"] as const;

const MEND_USER =
  "run the server as 'systemd-run --user --scope -p Delegate=yes sluice up', or as a unit with 'Delegate=yes' (deploy/ has one)";

function tryV2(mount: Mount, name: string, root: boolean, view: CgroupView): CgroupTree | NoCgroups {
  const own = ownGroup(mount, view, "");
  const base = root && !onlyOurs(own) ? mount.path : own;
  const available = availableControllers(base);
  const lacking = CONTROLLERS_NEEDED.filter((controller) => !available.includes(controller));
  if (lacking.length > 0) {
    return {
      why: `The control group ${base} has no ${lacking.join(" and no ")} controller`,
      mend: root ? "boot with 'systemd.unified_cgroup_hierarchy=1'" : MEND_USER,
    };
  }
  if (!mayDivide(base)) {
    return {
      why: `The control group ${base} may not be divided by this user`,
      mend: root ? "mount /sys/fs/cgroup writable (containers: '--cgroupns=private --privileged')" : MEND_USER,
    };
  }
  return opened(() => openV2Tree(mount.path, base, name), root);
}

/** A service unit of its own holds this process and what it started, nobody else: then Sluice's groups belong inside it. */
function onlyOurs(group: string): boolean {
  return processesOf(group).every((pid) => pid === process.pid);
}

function tryV1(mounts: readonly Mount[], name: string, view: CgroupView): CgroupTree | NoCgroups {
  const found: V1Mounts = {};
  for (const controller of ["memory", "pids", "cpu", "cpuacct"] as const) {
    const place = placeOf(mounts, controller, view);
    if (place !== null) found[controller] = place;
  }
  const lacking = CONTROLLERS_NEEDED.filter((controller) => found[controller] === undefined);
  if (lacking.length > 0) {
    return {
      why: `No ${lacking.join(" and no ")} controller is mounted`,
      mend: "mount the cgroup2 file system on /sys/fs/cgroup",
    };
  }
  return opened(() => openV1Tree(found, name), process.geteuid?.() === 0);
}

function placeOf(mounts: readonly Mount[], controller: string, view: CgroupView): ControllerMount | null {
  const mount = mounts.find((candidate) => candidate.type === "cgroup" && candidate.options.includes(controller));
  return mount === undefined ? null : { mount: mount.path, parent: ownGroup(mount, view, controller) };
}

/** The folder of the group that this process is in; the mount's top where the path does not lie below it (a container that sees
 *  the host's names). Limits of that group then hold for Sluice's groups too. */
function ownGroup(mount: Mount, view: CgroupView, controller: string): string {
  for (const line of view.selfCgroup.split("\n")) {
    const [, controllers = "", ...rest] = line.split(":");
    const path = rest.join(":");
    if (controller === "" ? controllers !== "" : !controllers.split(",").includes(controller)) continue;
    if (!path.startsWith("/")) continue;
    const top = mount.top === "/" ? "" : mount.top;
    if (path !== top && !path.startsWith(`${top}/`)) return mount.path;
    const folder = `${mount.path}${path.slice(top.length)}`.replace(/\/$/, "");
    return folder.includes("/../") ? mount.path : folder;
  }
  return mount.path;
}

function opened(open: () => CgroupTree, root: boolean): CgroupTree | NoCgroups {
  try {
    return open();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      why: `Control groups cannot be made: ${why}`,
      mend: root ? "make /sys/fs/cgroup writable for the server" : MEND_USER,
    };
  }
}
