import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ACCESS_KEY, type S3Process, SECRET_KEY, startS3 } from "../support/s3-process.ts";

const installed = spawnSync("rclone", ["version"]).status === 0;
if (!installed) console.warn("rclone is not installed: its tests are skipped (scripts/setup.sh installs it)");

const run = promisify(execFile);

describe.skipIf(!installed).each(["Minio", "Other"])("rclone with provider %s", (provider) => {
  let s3: S3Process;
  let dir: string;

  beforeAll(async () => {
    s3 = await startS3();
    dir = mkdtempSync(join(tmpdir(), "sluice-rclone-"));
  });

  afterAll(async () => {
    await s3.stop();
    rmSync(dir, { recursive: true });
  });

  async function rclone(...args: string[]): Promise<string> {
    const env = {
      PATH: process.env.PATH,
      HOME: dir,
      RCLONE_CONFIG: "/dev/null",
      RCLONE_CONFIG_S_TYPE: "s3",
      RCLONE_CONFIG_S_PROVIDER: provider,
      RCLONE_CONFIG_S_ACCESS_KEY_ID: ACCESS_KEY,
      RCLONE_CONFIG_S_SECRET_ACCESS_KEY: SECRET_KEY,
      RCLONE_CONFIG_S_ENDPOINT: s3.endpoint,
    };
    const { stdout } = await run("rclone", ["--retries", "1", "--low-level-retries", "1", ...args], { env });
    return stdout;
  }

  it("copies a tree in and out, with times, and finds nothing to do the second time", async () => {
    const files: Record<string, Buffer> = {
      "a.txt": Buffer.from("hello"),
      empty: Buffer.alloc(0),
      "deep/er/ä ö+%.bin": randomBytes(300_000),
      "deep/\u{1F600}": randomBytes(2_000_000),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(dir, "in", name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, content);
      utimesSync(path, 1_600_000_000, 1_600_000_000);
    }
    await rclone("copy", join(dir, "in"), "s:tree/sub");
    const listed = (await rclone("lsf", "-R", "--files-only", "s:tree/sub")).trim().split("\n");
    expect(listed.toSorted()).toEqual(Object.keys(files).toSorted());
    await rclone("copy", "s:tree/sub", join(dir, "out"));
    for (const [name, content] of Object.entries(files)) {
      expect(readFileSync(join(dir, "out", name)).equals(content), name).toBe(true);
      expect(statSync(join(dir, "out", name)).mtimeMs).toBe(1_600_000_000_000);
    }
    await rclone("check", join(dir, "in"), "s:tree/sub");
    const before = readFileSync(join(s3.data, "state.db")).length;
    await rclone("copy", join(dir, "in"), "s:tree/sub");
    expect(readFileSync(join(s3.data, "state.db")).length).toBe(before);
    expect(readdirSync(join(dir, "out")).toSorted()).toEqual(["a.txt", "deep", "empty"]);
  });

  it("makes and removes buckets, lists, streams, reads parts and deletes", async () => {
    await rclone("mkdir", "s:made");
    await rclone("mkdir", "s:made");
    expect(await rclone("lsd", "s:")).toContain("made");
    writeFileSync(join(dir, "one"), "0123456789");
    await rclone("copyto", join(dir, "one"), "s:made/x/one");
    expect(await rclone("cat", "--offset", "3", "--count", "4", "s:made/x/one")).toBe("3456");
    expect(await rclone("ls", "s:made")).toContain("10 x/one");
    await expect(rclone("rmdir", "s:made")).rejects.toThrow();
    await rclone("deletefile", "s:made/x/one");
    expect(await rclone("ls", "s:made")).toBe("");
    await rclone("rmdir", "s:made");
    expect(await rclone("lsd", "s:")).not.toContain("made");
    await rclone("copyto", join(dir, "one"), "s:purged/y/one");
    await rclone("purge", "s:purged");
    expect(await rclone("lsd", "s:")).not.toContain("purged");
  });
});
