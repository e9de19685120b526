import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { SandboxReport } from "../../sandbox.ts";
import type { RunResult } from "../../testing/sandbox-bench.ts";

const NOBODY = 65_534;
const CHECKOUT = fileURLToPath(new URL("../../../../", import.meta.url));

/** Runs a program of this checkout as `nobody`, by a mount of its own: the checkout may lie where that user cannot walk (/root). */
async function asNobody(program: string): Promise<string> {
  const place = mkdtempSync(join(tmpdir(), "sluice-user-"));
  chmodSync(place, 0o755);
  const inside = (path: string): string =>
    path.startsWith(CHECKOUT) ? join(place, path.slice(CHECKOUT.length)) : path;
  const drop = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const script = 'mount --bind "$1" "$2" || exit 1; shift 2; exec "$@"';
  const argv = [CHECKOUT, place, ...drop, inside(process.execPath), inside(program)];
  try {
    const { stdout } = await promisify(execFile)(
      "unshare",
      ["--mount", "--propagation", "slave", "sh", "-c", script, "sh", ...argv],
      { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/tmp" }, cwd: "/tmp" },
    );
    return stdout;
  } finally {
    rmdirSync(place);
  }
}

/** A server started by an ordinary user: no ids to give, no control groups (unless the machine gave it some). */
describe.runIf(process.geteuid?.() === 0)("as an ordinary user", async () => {
  const stdout = await asNobody(fileURLToPath(new URL("../../testing/user-server.ts", import.meta.url)));
  const { report, runs } = JSON.parse(stdout) as { report: SandboxReport; runs: Record<string, RunResult> };
  const guard = (name: string): string | undefined => report.guards.find((found) => found.name === name)?.state;
  const counted = guard("cgroups") === "enforced";

  test("it works, and says what is weaker and how to mend it", () => {
    expect(report.works).toBe(true);
    expect(guard("user-namespaces")).toBe("enforced");
    expect(guard("network-none")).toBe("enforced");
    expect(guard("root-dropped")).toBe("weaker");
    if (counted) return;
    for (const name of ["memory", "pids", "cpu"]) {
      const found = report.guards.find((candidate) => candidate.name === name);
      expect(found?.state).not.toBe("enforced");
      expect(found?.mend).toContain("Delegate=yes");
    }
  });

  test("scripts run, and their ends are told", () => {
    expect(runs.plain).toMatchObject({ exitCode: 7, out: "hello\nsluice\n" });
    expect(runs.background).toMatchObject({ exitCode: 0, notes: ["2 background processes were killed"] });
    expect(runs.stopped).toMatchObject({ exitCode: null, signal: "SIGTERM", limit: null });
    expect(runs.locked).toMatchObject({ exitCode: 0, limit: null });
  });

  test("an image is a root that can be written", () => {
    expect(guard("image-root")).toBe("enforced");
    expect(runs.image).toMatchObject({ exitCode: 0, out: "33\nbase\nmore\nbase\n" });
  });

  test("limits hold, by looking where the kernel does not help", () => {
    expect(runs.memory).toMatchObject({ limit: "memory" });
    expect(runs.shm?.exitCode).not.toBe(0);
    expect(runs.disk).toMatchObject({ limit: "disk" });
    expect(runs.files).toMatchObject({ limit: "files" });
    expect(runs.pids?.exitCode).not.toBe(0);
    expect(runs.pids?.out).not.toContain("all");
    expect(runs.wall).toMatchObject({ limit: "wall", signal: "SIGKILL" });
  });
});
