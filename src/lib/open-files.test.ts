import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openFilesLimit } from "./open-files.ts";

const READER = `import { openFilesLimit } from ${JSON.stringify(join(import.meta.dirname, "open-files.ts"))};
console.log(openFilesLimit());`;

function under(limits: string): number {
  const argv = [`--nofile=${limits}`, process.execPath, "--input-type=module", "--eval", READER];
  return Number(execFileSync("prlimit", argv, { encoding: "utf8" }));
}

it("is the hard limit, which Node raises the soft one to", () => {
  expect(under("100:300")).toBe(300);
  expect(under("200:200")).toBe(200);
});

it("is none where the kernel says so or says nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-limits-"));
  const file = join(folder, "limits");
  writeFileSync(file, "Limit  Soft Limit  Hard Limit  Units\nMax open files            unlimited  unlimited  files\n");
  expect(openFilesLimit(file)).toBe(Number.POSITIVE_INFINITY);
  rmSync(folder, { recursive: true });
  expect(openFilesLimit(file)).toBe(Number.POSITIVE_INFINITY);
});
