import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { removeTree } from "../lib/remove-tree.ts";
import type { SandboxMount } from "../sandbox/sandbox.ts";
import { SCRIPT_PATHS } from "./script-paths.ts";

/** An attempt's own folder on the store's file system (decision 6), so that outputs can be renamed into the store and one limit holds for all of it. */
export interface AttemptFolder {
  readonly path: string;
  /** Host path of TMP_OUTPUT_DIR. */
  readonly output: string;
  /** Two, as each mount costs every start of a sandbox some 80 µs. */
  readonly mounts: readonly SandboxMount[];
}

/** Below the folder that the script sees as SCRIPT_PATHS.root. */
const SUBFOLDERS = ["in", "out", "work", "home", "job"];

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
  const root = `${path}/root`;
  mkdirSync(root, 0o700);
  for (const name of SUBFOLDERS) mkdirSync(`${root}/${name}`, 0o700);
  mkdirSync(`${path}/tmp`, 0o700);
  writeFileSync(`${root}/job/script`, content.script, { mode: 0o400 });
  writeFileSync(`${root}/job/event.json`, content.event, { mode: 0o400 });
  return {
    path,
    output: `${root}/out`,
    mounts: [
      { kind: "folder", source: root, target: SCRIPT_PATHS.root, readOnly: false },
      { kind: "folder", source: `${path}/tmp`, target: SCRIPT_PATHS.tmp, readOnly: false },
    ],
  };
}
