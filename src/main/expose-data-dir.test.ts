import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { closedParent, exposeDataDir } from "./expose-data-dir.ts";

const asRoot = process.getuid?.() === 0;
const folders: string[] = [];

function folder(mode: number): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-expose-"));
  chmodSync(path, mode);
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

it("finds the parent that others may not walk through", () => {
  const open = folder(0o711);
  const closed = folder(0o700);
  mkdirSync(join(closed, "inner"), { mode: 0o755 });
  expect(closedParent(join(open, "data"))).toBeNull();
  expect(closedParent(join(closed, "inner", "data"))).toBe(closed);
});

describe.runIf(asRoot)("as root", () => {
  it("returns a reachable directory as it is", () => {
    const dir = join(folder(0o711), "data");
    expect(exposeDataDir(dir)).toBe(dir);
    expect(existsSync(dir)).toBe(true);
  });

  it("mounts an unreachable one where another user can read it, and leaves nothing mounted", () => {
    const dir = join(folder(0o700), "data");
    const program = join(folder(0o711), "program.mjs");
    writeFileSync(
      program,
      `import { exposeDataDir } from ${JSON.stringify(join(import.meta.dirname, "expose-data-dir.ts"))};
       import { writeFileSync } from "node:fs";
       import { spawnSync } from "node:child_process";
       const visible = exposeDataDir(${JSON.stringify(dir)});
       writeFileSync(${JSON.stringify(join(dir, "file"))}, "hello", { mode: 0o644 });
       writeFileSync(visible + "/mode", "x");
       spawnSync("chmod", ["711", ${JSON.stringify(dir)}]);
       const seen = spawnSync("cat", [visible + "/file"], { uid: 200000, gid: 200000, encoding: "utf8" });
       console.log(JSON.stringify({ visible, pid: process.pid, seen: seen.stdout, leaked: process.env.SLUICE_VISIBLE_DATA ?? null }));`,
    );
    const run = spawnSync(process.execPath, [program], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    const told = JSON.parse(run.stdout);
    expect(told).toMatchObject({ pid: run.pid, seen: "hello", leaked: null });
    expect(told.visible).toMatch(/^\/run\/sluice\/[0-9a-f]{16}$/);
    expect(readFileSync(join(dir, "file"), "utf8")).toBe("hello");
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(told.visible);
  });
});
