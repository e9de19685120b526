import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { overwriteFile } from "./overwrite-file.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-overwrite-"));
  file = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("makes a private file, and keeps it while its content grows and shrinks", () => {
  overwriteFile(file, "one");
  const { ino, mode } = statSync(file);
  expect(mode & 0o777).toBe(0o600);
  for (const data of ["longer than before", "short", "", Buffer.alloc(300_000, "x"), "é"]) {
    overwriteFile(file, data);
    expect(readFileSync(file)).toEqual(Buffer.from(data));
  }
  expect(statSync(file).ino).toBe(ino);
});

it("does not follow a link", () => {
  symlinkSync(join(folder, "target"), file);
  expect(() => overwriteFile(file, "x")).toThrow(expect.objectContaining({ code: "ELOOP" }));
});
