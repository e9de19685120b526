import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Copies a program of this machine, and the libraries that it loads, into a folder that becomes a root: each lies there by the path that it has here. */
export function copyProgram(path: string, root: string): void {
  // Of each line the path that is loaded. A program that loads none makes ldd fail.
  const { stdout } = spawnSync("ldd", [path], { encoding: "utf8" });
  const libraries = stdout?.match(/\/[^ )]+(?= \()/g) ?? [];
  for (const file of [path, ...libraries]) {
    mkdirSync(dirname(root + file), { recursive: true });
    copyFileSync(file, root + file);
    chmodSync(root + file, 0o755);
  }
}
