import { isUtf8 } from "node:buffer";
import { chmodSync, lstatSync } from "node:fs";
import { dirname } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { MAX_KEY_BYTES } from "../core/keys.ts";
import { walkInSlices } from "../lib/walk-tree.ts";

/** Most files that a job may leave as outputs (decision 7). */
export const MAX_OUTPUTS = 100_000;
/** Folders and what is no output count too, so that a walk ends. */
const MAX_ENTRIES = 4 * MAX_OUTPUTS;
const MAX_EXAMPLES = 3;
const OWNER_FOLDER = 0o700;

export interface OutputFile {
  /** Relative to TMP_OUTPUT_DIR, folders parted by `/`. Not exact when `isUtf8` is false: then no key can be made of it. */
  readonly name: string;
  readonly isUtf8: boolean;
  readonly sizeBytes: number;
  /** Another name leads to the same bytes: moving the file would leave a way to change them. */
  readonly isLinked: boolean;
}

/** How many there are, and the names of the first few. */
interface Named {
  readonly count: number;
  readonly examples: readonly string[];
}

export interface OutputListing {
  readonly files: readonly OutputFile[];
  /** What is left out as it is no regular file, by kind. */
  readonly leftOut: ReadonlyMap<string, Named>;
  /** The script removed the folder. */
  readonly isGone: boolean;
}

/** What a script left in its output folder, which is hostile until looked at: nothing is followed or opened. All its processes must be gone and
 *  the folder the server's. With `lockFolders` every folder, the one around it too, is closed to others first, for scripts that may have handed one to a stranger.
 *  @throws SluiceError OUTPUT_INVALID with `details.reason` `output_name` (a path too long for any key) or `output_invalid` (too many files, no folder but something else) */
export async function listOutputs(folder: string, lockFolders: boolean): Promise<OutputListing> {
  const files: OutputFile[] = [];
  const leftOut = new Map<string, Named>();
  const parents: Buffer[] = [];
  let entries = 0;
  if (lockFolders) chmodSync(dirname(folder), OWNER_FOLDER);
  if (isGone(folder)) return { files, leftOut, isGone: true };
  if (lockFolders) chmodSync(folder, OWNER_FOLDER);
  await walkInSlices(folder, ({ phase, kind, path }) => {
    if (phase === "leave") {
      parents.pop();
      return true;
    }
    entries += 1;
    if (entries > MAX_ENTRIES || files.length > MAX_OUTPUTS) throw tooMany();
    const name = Buffer.concat([...parents, path.subarray(path.lastIndexOf("/") + 1)]);
    if (kind === "folder") {
      if (name.length > MAX_KEY_BYTES) throw tooLong(name);
      if (lockFolders) chmodSync(path, OWNER_FOLDER);
      parents.push(Buffer.concat([path.subarray(path.lastIndexOf("/") + 1), SLASH]));
    } else if (kind === "file") {
      const { size, nlink } = lstatSync(path);
      files.push({ name: name.toString(), isUtf8: isUtf8(name), sizeBytes: size, isLinked: nlink > 1 });
    } else {
      const what = kind === "link" ? "symbolic link" : kindOfOther(path);
      leftOut.set(what, withName(leftOut.get(what), name.toString()));
    }
    return true;
  });
  if (files.length > MAX_OUTPUTS) throw tooMany();
  return { files, leftOut, isGone: false };
}

/** @throws SluiceError OUTPUT_INVALID when the script put something else in the folder's place */
function isGone(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined || stats.isDirectory()) return stats === undefined;
  throw new SluiceError("OUTPUT_INVALID", "put something else in the place of TMP_OUTPUT_DIR: write outputs into it", {
    details: { reason: "output_invalid" },
  });
}

function withName(named: Named | undefined, name: string): Named {
  const { count, examples } = named ?? { count: 0, examples: [] };
  return { count: count + 1, examples: count < MAX_EXAMPLES ? [...examples, name] : examples };
}

const SLASH = Buffer.from("/");

function kindOfOther(path: Buffer): string {
  const stats = lstatSync(path);
  if (stats.isFIFO()) return "FIFO";
  return stats.isSocket() ? "socket" : "device";
}

function tooMany(): SluiceError {
  return new SluiceError(
    "OUTPUT_INVALID",
    `left more than ${MAX_OUTPUTS} files in TMP_OUTPUT_DIR: pack them into an archive`,
    { details: { reason: "output_invalid" } },
  );
}

function tooLong(name: Buffer): SluiceError {
  return new SluiceError(
    "OUTPUT_INVALID",
    `left folders in TMP_OUTPUT_DIR whose path has ${name.length} bytes: an object key has at most ${MAX_KEY_BYTES}`,
    { details: { reason: "output_name" } },
  );
}
