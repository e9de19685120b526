import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, expect, test } from "vitest";
import { makeFolders } from "./make-folders.ts";

const root = mkdtempSync(`${tmpdir()}/sluice-folders-`);
afterAll(() => rmSync(root, { recursive: true }));

test("makes what is missing, each with the mode, and names the highest", () => {
  expect(makeFolders(`${root}/a/b/c/`, 0o710)).toBe(`${root}/a`);
  for (const path of ["a", "a/b", "a/b/c"]) expect(statSync(`${root}/${path}`).mode & 0o777, path).toBe(0o710);
  expect(makeFolders(`${root}/a/b/d`, 0o700)).toBe(`${root}/a/b/d`);
  expect(makeFolders(`${root}/a/b`, 0o700)).toBeUndefined();
  expect(statSync(`${root}/a/b`).mode & 0o777).toBe(0o710);
});

test("goes through links to folders", () => {
  symlinkSync("a", `${root}/link`);
  expect(makeFolders(`${root}/link/e`, 0o700)).toBe(`${root}/link/e`);
  expect(statSync(`${root}/a/e`).isDirectory()).toBe(true);
});

test.each([
  ["below a file", "file/x"],
  ["in a file's place", "file"],
  ["in the place of a link to nowhere", "nowhere"],
])("what cannot be made is said: %s", (_what, path) => {
  writeFileSync(`${root}/file`, "");
  rmSync(`${root}/nowhere`, { force: true });
  symlinkSync("none", `${root}/nowhere`);
  expect(() => makeFolders(`${root}/${path}`, 0o700)).toThrow(/EEXIST|ENOTDIR/);
});

test("in a file system that makes no folders it fails, and comes back", () => {
  expect(() => makeFolders("/proc/sluice/x", 0o700)).toThrow("ENOENT");
});
