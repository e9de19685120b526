import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeTree } from "./remove-tree.ts";
import { walkInSlices, walkTree } from "./walk-tree.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/sluice-walk-`);
});
afterEach(() => execFileSync("rm", ["-rf", root]));

/** `phase kind name` of every entry. */
function walked(): string[] {
  return [...walkTree(root)].map(({ phase, kind, path }) => {
    const name = path.toString("latin1");
    return `${phase} ${kind} ${name.slice(name.lastIndexOf("/") + 1)}`;
  });
}

/** Deeper than a path may be long (4,096 bytes). */
const DEEP = 3_000;

function makeDeep(): void {
  execFileSync("perl", ["-e", `chdir shift; for (1..${DEEP}) { mkdir "deep"; chdir "deep" } open F, ">end"`, root]);
}

describe("walkTree", () => {
  test("meets folders before and after what they hold, everything else once, links as links", () => {
    mkdirSync(`${root}/folder/inner`, { recursive: true });
    writeFileSync(`${root}/folder/file`, "");
    symlinkSync("/etc", `${root}/link`);
    execFileSync("mkfifo", [`${root}/pipe`]);
    const seen = walked();
    expect(seen.slice().sort()).toEqual(
      [
        "enter file file",
        "enter folder folder",
        "enter folder inner",
        "enter link link",
        "enter other pipe",
        "leave folder folder",
        "leave folder inner",
      ].sort(),
    );
    expect(seen.indexOf("enter folder folder")).toBeLessThan(seen.indexOf("enter file file"));
    expect(seen.at(-1)).toBe("leave folder folder");
  });

  test("names of any bytes", () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a, 0x80])]), "text");
    const [entry] = [...walkTree(root)].map(({ path }) => path.subarray(-3));
    expect(entry).toEqual(Buffer.from([0xff, 0x0a, 0x80]));
  });

  test("deeper than any path is long", () => {
    makeDeep();
    const seen = walked();
    expect(seen.filter((line) => line === "leave folder deep")).toHaveLength(DEEP);
    expect(seen).toContain("enter file end");
  });

  test("keeps few descriptors open, and none afterwards", () => {
    makeDeep();
    const before = readdirSync("/proc/self/fd").length;
    let most = 0;
    for (const _ of walkTree(root)) most = Math.max(most, readdirSync("/proc/self/fd").length);
    expect(most - before).toBeLessThan(80);
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
    for (const _ of walkTree(root)) break;
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
  });

  test("a folder moved away under the walk stops it, and leads it nowhere else", () => {
    makeDeep();
    let left = 0;
    const walk = (): void => {
      for (const { phase } of walkTree(root)) {
        if (phase === "leave") left += 1;
        // Now the middle of the way up leads to another parent.
        if (left === 10) {
          mkdirSync(`${root}/aside`);
          execFileSync("perl", [
            "-e",
            `chdir shift; chdir "deep" for 1..${DEEP - 1_000}; rename "deep", "${root}/aside/deep" or die $!`,
            root,
          ]);
          left += 1;
        }
      }
    };
    expect(walk).toThrow(/it was moved meanwhile/);
  });

  test("a large folder is read in pieces, and the walk can end early", async () => {
    const names = Array.from({ length: 12_000 }, (_, n) => `${"n".repeat(40)}${n}`);
    for (const name of names) writeFileSync(`${root}/${name}`, "");
    let count = 0;
    expect(await walkInSlices(root, () => ++count > 0)).toBe(true);
    expect(count).toBe(12_000);
    count = 0;
    expect(await walkInSlices(root, () => ++count < 100)).toBe(false);
    expect(count).toBe(100);
  });

  test("the event loop goes on during a long walk", async () => {
    for (let n = 0; n < 500; n += 1) mkdirSync(`${root}/${n}`);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await walkInSlices(root, () => true, 0);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

describe("removeTree", () => {
  test("folders without permissions, links, pipes, deep ways and odd names", async () => {
    mkdirSync(`${root}/locked/inner`, { recursive: true });
    writeFileSync(`${root}/locked/inner/file`, "");
    chmodSync(`${root}/locked/inner`, 0);
    chmodSync(`${root}/locked`, 0);
    execFileSync("mkfifo", [`${root}/pipe`]);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xfe])]), "");
    makeDeep();
    await removeTree(root);
    expect(existsSync(root)).toBe(false);
  });

  test("what links lead to stays", async () => {
    const outside = mkdtempSync(`${tmpdir()}/sluice-outside-`);
    writeFileSync(`${outside}/kept`, "kept");
    symlinkSync(outside, `${root}/link`);
    await removeTree(root);
    expect(readFileSync(`${outside}/kept`, "utf8")).toBe("kept");
    rmSync(outside, { recursive: true });
  });

  test("a path that does not exist is no error", async () => {
    await expect(removeTree(`${root}/nothing`)).resolves.toBeUndefined();
  });
});
