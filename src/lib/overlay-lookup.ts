import { lstatSync, type Stats } from "node:fs";

/** What an overlay of folders shows at a name. */
export interface Shown {
  /** Where it lies. */
  readonly path: string;
  readonly stats: Stats;
}

/** What an overlay shows at a path whose folders are no links; null for nothing. A layer hides those below it with anything that is no folder.
 *  @param layers lower folders of overlayfs, lowest first @param parts names, from the root on */
export function shownAt(layers: readonly string[], parts: readonly string[]): Shown | null {
  for (const layer of layers.toReversed()) {
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = `${layer}/${parts.slice(0, depth).join("/")}`;
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) break;
      // A whiteout is a device.
      if (depth === parts.length) return stats.isCharacterDevice() ? null : { path, stats };
      if (!stats.isDirectory()) return null;
    }
  }
  return null;
}

/** The names of a path, without empty ones and `.`. */
export const namesOf = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");
