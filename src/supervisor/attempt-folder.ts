import { lstatSync, mkdirSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { removeTree } from "../lib/remove-tree.ts";
import type { SandboxMount } from "../sandbox/sandbox.ts";
import { SCRIPT_PATHS } from "./script-paths.ts";

/** An attempt's own folder on the store's file system (decision 6), so that outputs can be renamed into the store and one limit holds for all
 *  of it. As many folders and mounts as there must be: a mount costs each start of a sandbox some 80 µs, a folder as much to make and remove.
 *  The script may write in all of it, so once it has run nothing in here is what it was until looked at without following links. */
export interface AttemptFolder {
  readonly path: string;
  /** Host path of TMP_OUTPUT_DIR. */
  readonly output: string;
  readonly mounts: readonly SandboxMount[];
}

const SUBFOLDERS = ["in", "out", "home", "tmp"];
const FILES = ["script", "event.json"];

/** Makes `<workFolder>/<id>` with the script and its event in it. What a crash left under that name is removed first.
 *
 *  The calls are synchronous on purpose: each takes some microseconds, a promise more than that, and every event of every job comes by here.
 *  @throws errors of the file system */
export async function makeAttemptFolder(
  workFolder: string,
  id: string,
  content: { readonly script: string; readonly event: string },
): Promise<AttemptFolder> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) {
    throw new SluiceError("INTERNAL", `Cannot make a folder for attempt "${id}": the id is no file name`);
  }
  const path = join(workFolder, id);
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    await removeTree(path);
    mkdirSync(path, 0o700);
  }
  for (const name of SUBFOLDERS) mkdirSync(`${path}/${name}`, 0o700);
  writeFileSync(`${path}/script`, content.script, { mode: 0o400 });
  writeFileSync(`${path}/event.json`, content.event, { mode: 0o400 });
  return {
    path,
    output: `${path}/out`,
    mounts: [
      { kind: "folder", source: path, target: SCRIPT_PATHS.root, readOnly: false },
      { kind: "folder", source: `${path}/tmp`, target: SCRIPT_PATHS.tmp, readOnly: false },
    ],
  };
}

/** Removes an attempt's folder, whatever a script made of it; one that does not exist is no error. All processes of the sandbox must be gone.
 *  @param inputFiles relative paths of the files that staging and mounting the input left, if any */
export async function removeAttemptFolder(path: string, inputFiles: readonly string[]): Promise<void> {
  if (!removedAtOnce(path, inputFiles)) await removeTree(path);
}

/** Most scripts leave nothing but outputs, which are moved away: then a few calls remove all, with no folder read. */
function removedAtOnce(path: string, inputFiles: readonly string[]): boolean {
  try {
    for (const name of [...FILES, ...inputFiles.filter((file) => isInRealFolder(path, file))])
      unlinkSync(`${path}/${name}`);
    for (const name of SUBFOLDERS) rmdirSync(`${path}/${name}`);
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** False when the script put a link in the place of the file's folder: removing through it would reach outside. */
function isInRealFolder(path: string, file: string): boolean {
  const slash = file.lastIndexOf("/");
  return slash < 0 || lstatSync(`${path}/${file.slice(0, slash)}`).isDirectory();
}
