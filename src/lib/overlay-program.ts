import { readlinkSync, type Stats } from "node:fs";
import { namesOf, shownAt } from "./overlay-lookup.ts";

/** Symbolic links followed, as in Linux. */
const MAX_LINKS = 40;
const ANYBODY_MAY_EXECUTE = 0o111;

/** True for a program that the image has at an absolute path, links followed inside the image alone.
 *  @param layers the image's layers in overlayfs form, lowest first */
export function isOverlayProgram(path: string, layers: readonly string[]): boolean {
  if (!path.startsWith("/")) return false;
  const waiting = namesOf(path).reverse();
  let at: string[] = [];
  let links = 0;
  let stats: Stats | null = null;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === "..") {
      at = at.slice(0, -1);
      continue;
    }
    const found = shownAt(layers, [...at, part]);
    if (found === null) return false;
    stats = found.stats;
    if (!stats.isSymbolicLink()) {
      at = [...at, part];
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return false;
    const target = readlinkSync(found.path);
    if (target.startsWith("/")) at = [];
    waiting.push(...namesOf(target).reverse());
  }
  return stats?.isFile() === true && (stats.mode & ANYBODY_MAY_EXECUTE) !== 0;
}
