import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes a folder and those above it that are missing; one that is there is left as it is. As Node's own `recursive`, which never returns where the folder
 *  above is there and the system says ENOENT all the same, as in /proc.
 *  @param mode of every folder that is made @returns the highest one that was made, or undefined @throws what the system says */
export function makeFolders(path: string, mode: number): string | undefined {
  const missing: string[] = [];
  for (let at = resolve(path); !isFolder(at); at = dirname(at)) missing.push(at);
  for (const folder of missing.toReversed()) makeOne(folder, mode);
  return missing.at(-1);
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Somebody else was faster.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
