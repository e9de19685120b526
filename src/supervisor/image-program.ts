import { lstatSync, readlinkSync, type Stats } from "node:fs";

/** Symbolic links followed, as in Linux. */
const MAX_LINKS = 40;
const ANYBODY_MAY_EXECUTE = 0o111;

/** True for a program that the image has at an absolute path, links followed inside the image alone.
 *  @param layers the image's layers in overlayfs form, lowest first */
export function isImageProgram(path: string, layers: readonly string[]): boolean {
  if (!path.startsWith("/")) return false;
  const waiting = partsOf(path).reverse();
  let at: string[] = [];
  let links = 0;
  let stats: Stats | null = null;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === "..") {
      at = at.slice(0, -1);
      continue;
    }
    const found = topmost([...at, part], layers);
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
    waiting.push(...partsOf(target).reverse());
  }
  return stats?.isFile() === true && (stats.mode & ANYBODY_MAY_EXECUTE) !== 0;
}

/** What the stack shows at a path whose folders hold no links; null for nothing. A layer hides those below it with anything that is no folder. */
function topmost(parts: readonly string[], layers: readonly string[]): { path: string; stats: Stats } | null {
  for (const layer of layers.toReversed()) {
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = `${layer}/${parts.slice(0, depth).join("/")}`;
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) break;
      const isLast = depth === parts.length;
      // A whiteout is a device.
      if (isLast) return stats.isCharacterDevice() ? null : { path, stats };
      if (!stats.isDirectory()) return null;
    }
  }
  return null;
}

const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");
