import { describe, expect, test } from "vitest";
import { exitOf } from "../../exit-status.ts";
import { diagnose, sentence } from "./failure.ts";

const REFUSED =
  "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user namespaces.";
const settings = (values: Record<string, string>) => (path: string) => values[path] ?? null;

describe("diagnose", () => {
  test.each([
    ["kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor", "/etc/apparmor.d/bwrap"],
    ["kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone is 0", "sysctl -w"],
    ["user/max_user_namespaces", "0", "max_user_namespaces is 0", "sysctl -w"],
  ])("a kernel that forbids user namespaces by %s", (path, value, why, mend) => {
    const found = diagnose(REFUSED, settings({ [path]: value }));
    expect(found.why).toContain(why);
    expect(found.mend).toContain(mend);
  });

  test("namespaces refused for no reason that the settings show: a container", () => {
    expect(diagnose("bwrap: Creating new namespace failed: Operation not permitted", settings({})).mend).toContain(
      "seccomp=unconfined",
    );
  });

  test("a program that is not there", () => {
    expect(diagnose("bwrap: execvp /bin/nosh: No such file or directory\n", settings({})).why).toBe(
      "the program '/bin/nosh' does not start in the image (No such file or directory)",
    );
  });

  test("a file system that cannot hold the changes to an image", () => {
    const found = diagnose("mount: root: wrong fs type, bad option, bad superblock on overlay.\n", settings({}));
    expect(found.why).toBe("the image cannot be mounted ('wrong fs type, bad option, bad superblock on overlay.')");
    expect(found.mend).toContain("ext4");
  });

  test("a path that the sandbox's user cannot reach", () => {
    const found = diagnose("bwrap: Can't find source path /data/work/1: Permission denied", settings({}));
    expect(sentence(found)).toContain("chmod o+x");
  });

  test("a machine that lost bubblewrap", () => {
    expect(diagnose("/dev/shm/x/run: 4: exec: /usr/bin/bwrap: not found", settings({})).mend).toContain(
      "apt-get install bubblewrap",
    );
  });

  test("anything else is passed on", () => {
    expect(sentence(diagnose("bwrap: Something new", settings({})))).toBe("bubblewrap says 'Something new'");
  });
});

test.each([
  [0, 0, null],
  [1, 1, null],
  [127, 127, null],
  [128, 128, null],
  [137, null, "SIGKILL"],
  [139, null, "SIGSEGV"],
  [143, null, "SIGTERM"],
  [200, 200, null],
  [255, 255, null],
])("code %d", (code, exitCode, signal) => {
  expect(exitOf(code)).toEqual({ exitCode, signal });
});
