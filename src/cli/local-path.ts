import { createHash } from "node:crypto";
import { SluiceError } from "../core/errors.ts";
import { inputFileName } from "../core/input-name.ts";

/** Where the objects of a folder go below the target, as relative paths. Keys are written by others and may hold anything:
 *  - no path leaves the target: a segment that is empty, `.` or `..` or too long for a file name becomes its first 200 bytes, `-` and a hash,
 *    as the input files of jobs do;
 *  - no two keys share a path, and none needs a file where another needs a folder: the later one is refused.
 *  @returns the paths, and a sentence for each key that cannot be saved beside the others */
export function planLocalPaths(keys: readonly string[], prefix: string): LocalPaths {
  const plan: LocalPaths = { paths: new Map(), refused: new Map() };
  const owners = new Map<string, string>();
  const folders = new Map<string, string>();
  for (const key of keys) {
    const path = localPath(key.slice(prefix.length));
    const rival =
      owners.get(path) ??
      folders.get(path) ??
      parents(path)
        .map((each) => owners.get(each))
        .find(Boolean);
    if (rival !== undefined) {
      plan.refused.set(
        key,
        `Cannot save "${key}": "${rival}" needs the same place (get it alone, to a path of its own)`,
      );
      continue;
    }
    owners.set(path, key);
    for (const folder of parents(path)) if (!folders.has(folder)) folders.set(folder, key);
    plan.paths.set(key, path);
  }
  return plan;
}

export interface LocalPaths {
  readonly paths: Map<string, string>;
  readonly refused: Map<string, string>;
}

/** The relative path of one object. @throws SluiceError KEY_INVALID for a name that no file system takes */
export function localPath(relativeKey: string): string {
  if (relativeKey.includes("\0"))
    throw new SluiceError("KEY_INVALID", "Cannot save the object: its key holds a NUL character");
  return relativeKey.split("/").map(segmentName).join("/");
}

const segmentName = (segment: string): string => inputFileName(segment);

function parents(path: string): string[] {
  const segments = path.split("/");
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join("/"));
}

/** The name of the file that a download grows in: the same for the same bytes, so that a second try can go on. */
export function partialName(bucket: string, key: string, etag: string): string {
  return `.sluice-${createHash("sha256").update(`${bucket}/${key}\n${etag}`).digest("hex").slice(0, 24)}.part`;
}
