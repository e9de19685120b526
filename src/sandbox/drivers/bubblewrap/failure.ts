import { readFileSync } from "node:fs";

/** Why bubblewrap could not start a sandbox, and what mends it. */
export interface Diagnosis {
  readonly why: string;
  readonly mend: string;
}

export const INSTALL_LINE = "apt-get install bubblewrap (dnf, apk: the same name)";

const NAMESPACES = /namespace|uid map|gid map|loopback|RTM_NEWADDR/i;

/** Reads the cause from what bubblewrap said; `setting` gives a sysctl's value, null where the kernel has none. */
export function diagnose(output: string, setting: (path: string) => string | null = readSetting): Diagnosis {
  const said = /bwrap: ([^\n]*)/.exec(output)?.[1] ?? output.trim().split("\n")[0] ?? "";
  if (said === "" || said.includes("not found") || /bwrap: No such file/.test(output)) {
    return { why: "bubblewrap is not installed where it was found before", mend: INSTALL_LINE };
  }
  const mount = /^mount: (?:root: )?(.*)$/m.exec(output);
  if (mount !== null) {
    return {
      why: `the image cannot be mounted ('${mount[1]}')`,
      mend: "Linux 5.11 or newer is needed, with the data directory on ext4, xfs or btrfs",
    };
  }
  if (NAMESPACES.test(said))
    return { why: `bubblewrap says '${said}'${namespaceCause(setting).why}`, mend: namespaceCause(setting).mend };
  const program = /^execvp (.*): (.*)$/.exec(said);
  if (program !== null)
    return { why: `the program '${program[1]}' does not start in the image (${program[2]})`, mend: "" };
  if (said.includes("source path")) {
    return {
      why: `bubblewrap says '${said}'`,
      mend: "every folder above that path must let the sandbox's user pass (chmod o+x)",
    };
  }
  return { why: `bubblewrap says '${said}'`, mend: "" };
}

/** One sentence out of a diagnosis. */
export function sentence(diagnosis: Diagnosis): string {
  return diagnosis.mend === "" ? diagnosis.why : `${diagnosis.why} (${diagnosis.mend})`;
}

/** The switches by which distributions forbid user namespaces. */
function namespaceCause(setting: (path: string) => string | null): Diagnosis {
  if (setting("kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return {
      why: ": AppArmor allows user namespaces only to programs with a profile (kernel.apparmor_restrict_unprivileged_userns is 1)",
      mend: "install a profile for bwrap at /etc/apparmor.d/bwrap, as scripts/setup.sh does when run as root",
    };
  }
  if (setting("kernel/unprivileged_userns_clone") === "0") {
    return {
      why: ": kernel.unprivileged_userns_clone is 0",
      mend: "sysctl -w kernel.unprivileged_userns_clone=1, and the same line in /etc/sysctl.d/sluice.conf",
    };
  }
  if (setting("user/max_user_namespaces") === "0") {
    return {
      why: ": user.max_user_namespaces is 0",
      mend: "sysctl -w user.max_user_namespaces=10000, and the same line in /etc/sysctl.d/sluice.conf",
    };
  }
  return {
    why: "",
    mend: "in a container, run it with '--security-opt seccomp=unconfined --security-opt apparmor=unconfined' or '--privileged'",
  };
}

function readSetting(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/${path}`, "latin1").trim();
  } catch {
    return null;
  }
}
