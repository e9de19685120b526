import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CreateBucketCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientHome, clientProgram, runProgram } from "../../support/client-programs.ts";
import { ACCESS_KEY, type S3Process, SECRET_KEY, startS3 } from "../../support/s3-process.ts";

const program = clientProgram("s3fs");
/** What a machine does not allow is not for its administrator to install: then even CI goes without. */
const mounts = canMount();
if (!mounts) console.warn("FUSE cannot mount here (no /dev/fuse, or no right to mount): the tests of s3fs are skipped");

/** Root needs the device and the right to mount, which containers take away; anybody else needs the program that has both. */
function canMount(): boolean {
  if (!existsSync("/dev/fuse")) return false;
  if (process.getuid?.() !== 0) return existsSync("/usr/bin/fusermount") || existsSync("/usr/bin/fusermount3");
  const CAP_SYS_ADMIN = 1n << 21n;
  const rights = /CapEff:\s*([0-9a-f]+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${rights}`) & CAP_SYS_ADMIN) !== 0n && canOpen("/dev/fuse");
}

/** A container may show the device and yet refuse to open it. */
function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, "r+"));
    return true;
  } catch {
    return false;
  }
}

/** The mounted bucket is used as any folder is: by this process's own file calls, which s3fs turns into requests. */
describe.skipIf(program === null || !mounts)("s3fs", () => {
  const home = clientHome();
  const at = (...names: string[]): string => join(home.path, "mount", ...names);
  const Bucket = "mounted";
  let s3: S3Process;

  beforeAll(async () => {
    s3 = await startS3();
    await s3.client.send(new CreateBucketCommand({ Bucket }));
    mkdirSync(at());
    writeFileSync(join(home.path, "passwd"), `${ACCESS_KEY}:${SECRET_KEY}`, { mode: 0o600 });
    await mountBucket();
  });
  afterAll(async () => {
    await unmount();
    await s3.stop();
    home.remove();
  });

  async function mountBucket(): Promise<void> {
    const options = ["use_path_request_style", `url=${s3.endpoint}`, `passwd_file=${join(home.path, "passwd")}`];
    await runProgram(program ?? "", [Bucket, at(), ...options.flatMap((option) => ["-o", option])]);
  }
  const unmount = (): Promise<string> => runProgram("umount", [at()]);
  /** So that what is read next comes from the server, not from a cache of the file system's. */
  async function remount(): Promise<void> {
    await unmount();
    await mountBucket();
  }

  it("writes, reads, appends and truncates files", async () => {
    writeFileSync(at("a file.txt"), "hello");
    appendFileSync(at("a file.txt"), ", world");
    writeFileSync(at("empty"), "");
    writeFileSync(at("ä\u{1F600}+%"), "odd");
    await remount();
    expect(readFileSync(at("a file.txt"), "utf8")).toBe("hello, world");
    expect(readFileSync(at("ä\u{1F600}+%"), "utf8")).toBe("odd");
    truncateSync(at("a file.txt"), 5);
    await remount();
    expect(readFileSync(at("a file.txt"), "utf8")).toBe("hello");
    expect(statSync(at("empty")).size).toBe(0);
    expect(await s3.client.send(new HeadObjectCommand({ Bucket, Key: "a file.txt" }))).toMatchObject({
      ContentLength: 5,
    });
  });

  it("makes, lists, renames and removes folders", async () => {
    mkdirSync(at("deep/er"), { recursive: true });
    writeFileSync(at("deep/er/x"), "x");
    writeFileSync(at("deep/y"), "y");
    renameSync(at("deep/y"), at("deep/z"));
    renameSync(at("deep/er"), at("moved"));
    await remount();
    expect(readdirSync(at("deep"))).toEqual(["z"]);
    expect(readFileSync(at("moved/x"), "utf8")).toBe("x");
    rmSync(at("deep"), { recursive: true });
    await remount();
    expect(existsSync(at("deep"))).toBe(false);
  });

  it("keeps large files, which it sends and copies by parts, with their modes and times", async () => {
    const content = randomBytes(40 * 1024 * 1024);
    writeFileSync(at("large"), content, { mode: 0o640 });
    renameSync(at("large"), at("renamed"));
    await remount();
    expect(readFileSync(at("renamed")).equals(content)).toBe(true);
    expect(statSync(at("renamed")).mode & 0o777).toBe(0o640);
    const { ETag } = await s3.client.send(new HeadObjectCommand({ Bucket, Key: "renamed" }));
    expect(ETag).toMatch(/-\d+"$/);
  });
});
