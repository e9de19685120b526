import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isOverlayProgram } from "./overlay-program.ts";

let folder: string;
let layers: string[];

function put(layer: number, path: string, mode = 0o755): void {
  const file = join(layers[layer] ?? "", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  chmodSync(file, mode);
}

const link = (layer: number, path: string, target: string): void =>
  symlinkSync(target, join(layers[layer] ?? "", path));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-layers-"));
  layers = ["a", "b"].map((name) => join(folder, name));
  put(0, "usr/bin/python3.13");
  put(0, "usr/bin/data", 0o644);
  put(0, "usr/bin/hidden");
  put(0, "opt/tool/run");
  link(0, "bin", "usr/bin");
  link(0, "usr/bin/python3", "python3.13");
  link(0, "usr/bin/outside", "/../../../../../../../../bin/sh");
  link(0, "usr/bin/circle", "circle");
  put(1, "usr/bin/more");
  // A file in the place of a folder hides all below, as a whiteout does.
  put(1, "opt/tool");
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(["/usr/bin/python3.13", "/bin/python3", "/usr/bin/../bin/python3", "/bin/more"])("%s is one", (path) => {
  expect(isOverlayProgram(path, layers)).toBe(true);
});

test.each([
  "/usr/bin/data",
  "/usr/bin",
  "/usr/bin/none",
  "usr/bin/more",
  "/bin/outside",
  "/bin/circle",
  "/opt/tool/run",
  "/",
  "",
])("%j is none", (path) => {
  expect(isOverlayProgram(path, layers)).toBe(false);
});
