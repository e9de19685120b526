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
  readonly mounts: readonly SandboxMount[];
}

const WRITABLE: ReadonlyArray<readonly [name: string, target: string]> = [
  ["in", SCRIPT_PATHS.input],
  ["out", SCRIPT_PATHS.output],
  ["work", SCRIPT_PATHS.work],
  ["home", SCRIPT_PATHS.home],
  ["tmp", SCRIPT_PATHS.tmp],
];

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
  for (const [name] of WRITABLE) mkdirSync(`${path}/${name}`, 0o700);
  mkdirSync(`${path}/job`, 0o700);
  writeFileSync(`${path}/job/script`, content.script, { mode: 0o400 });
  writeFileSync(`${path}/job/event.json`, content.event, { mode: 0o400 });
  return { path, output: `${path}/out`, mounts: mountsOf(path) };
}

function mountsOf(path: string): SandboxMount[] {
  const writable = WRITABLE.map(
    ([name, target]): SandboxMount => ({ kind: "folder", source: `${path}/${name}`, target, readOnly: false }),
  );
  return [...writable, { kind: "folder", source: `${path}/job`, target: SCRIPT_PATHS.job, readOnly: true }];
}
