import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientHome, clientProgram, rcloneEnv, runProgram } from "../../support/client-programs.ts";
import { type S3Process, startS3 } from "../../support/s3-process.ts";

const program = clientProgram("rclone");
const FILES = 5000;
const NAME_BYTES = 255;

/** What a name is made of; every file system of Linux takes all of it. */
const PIECES = [
  ..." !\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~",
  ..."\u0001\t\n\r\u001f\u007f",
  "  ",
  "..",
  "%2F",
  "%00",
  "&amp;",
  "ä",
  "a\u0308",
  "é",
  "日本語",
  "\u202e",
  "\ufeff",
  "\uffff",
  "\u{1F600}",
  "\u{1F469}\u200d\u{1F52C}",
  "A",
  "a",
  "0",
];

/** Every piece at the start, in the middle and at the end of a name and of a folder; long names, deep ones; the rest by arithmetic. */
function oddPaths(): string[] {
  const paths = new Set<string>();
  for (const piece of PIECES) {
    for (const name of [`${piece}x`, `x${piece}`, `x${piece}x`, `${piece}${piece}${piece}`]) {
      paths.add(`names/${name}`);
      paths.add(`folders/${name}/file`);
    }
  }
  paths.add(`long/${"n".repeat(NAME_BYTES)}`);
  paths.add(`long/${"日".repeat(NAME_BYTES / 3)}`);
  paths.add(`long/${`${"d".repeat(200)}/`.repeat(4)}${"n".repeat(150)}`);
  paths.add(`deep/${"d/".repeat(400)}n`);
  for (let n = 0; paths.size < FILES; n++) {
    const piece = (step: number): string => PIECES[(n * step + (n >> 4)) % PIECES.length] ?? "";
    paths.add(`many/${n % 50}${PIECES[n % 50]}/${piece(1)}${piece(5)}${n}${piece(7)}${piece(11)}`);
  }
  return [...paths];
}

const content = (n: number): Buffer | string =>
  n % 10 === 0 ? "" : n % 500 === 1 ? randomBytes(100_000) : `file ${n}`;

describe.skipIf(program === null)("rclone, on a tree of 5,000 odd names", () => {
  const home = clientHome();
  const at = (...names: string[]): string => join(home.path, ...names);
  let s3: S3Process;

  beforeAll(async () => {
    s3 = await startS3();
    for (const [n, path] of oddPaths().entries()) {
      mkdirSync(dirname(at("tree", path)), { recursive: true });
      writeFileSync(at("tree", path), content(n));
    }
  });
  afterAll(async () => {
    await s3.stop();
    home.remove();
  });

  /** Names go to the server as they are, without the replacements that rclone makes for stores that cannot keep them, and are listed in the
   *  encoding of addresses, as XML 1.0 has no form for control characters. */
  const rclone = (...args: string[]): Promise<string> =>
    runProgram(program ?? "", ["--retries", "1", "--low-level-retries", "1", ...args], {
      env: {
        ...rcloneEnv(home.path, s3.endpoint, "Other"),
        RCLONE_TRANSFERS: "16",
        RCLONE_CHECKERS: "16",
        RCLONE_NO_UNICODE_NORMALIZATION: "true",
        RCLONE_LOCAL_ENCODING: "None",
        RCLONE_CONFIG_S_ENCODING: "None",
        RCLONE_CONFIG_S_LIST_URL_ENCODE: "true",
      },
    });
  const files = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .toSorted();

  it("is synced, found equal, brought back, and followed when it changes", async () => {
    const paths = files(at("tree"));
    expect(paths).toHaveLength(FILES);
    await rclone("sync", at("tree"), "s:tree");
    await rclone("check", at("tree"), "s:tree");
    await rclone("check", "--fast-list", at("tree"), "s:tree");
    await rclone("sync", "s:tree", at("back"));
    expect(files(at("back"))).toEqual(paths);
    for (const path of paths) {
      if (!readFileSync(at("back", path)).equals(readFileSync(at("tree", path)))) expect.fail(`${path} differs`);
    }
    rmSync(at("tree", "folders"), { recursive: true });
    writeFileSync(at("tree", "names", "ax"), "changed");
    await expect(rclone("check", at("tree"), "s:tree")).rejects.toThrow("differences found");
    await rclone("sync", at("tree"), "s:tree");
    await rclone("check", "--download", at("tree", "names"), "s:tree/names");
    expect((await rclone("size", "--json", "s:tree")).trim()).toContain(`"count":${files(at("tree")).length}`);
    await rclone("purge", "s:tree");
    expect(await rclone("lsd", "s:")).toBe("");
  });
});
