import { closeSync, writeSync } from "node:fs";
import { removeTree } from "../lib/remove-tree.ts";
import { dropRights, type ImagesUser } from "./drop-rights.ts";

/** A program of its own, as a layer may hold a million files: `node remove-folders.ts JOB`. Paths count from the working directory. */

/** JSON of the first argument. */
export interface RemovalJob {
  readonly user: ImagesUser | null;
  readonly folders: readonly string[];
}

const MAX_TRIES = 100;

const { user, folders } = JSON.parse(process.argv[2] ?? "") as RemovalJob;
dropRights(user);
const failures: unknown[] = [];
for (const folder of folders) await removeWhole(folder).catch((error: unknown) => failures.push(error));
if (failures.length > 0) throw failures[0];
writeSync(3, "{}");
closeSync(3);

/** Another one may be at it, that a killed server left: what it took away in between is passed over at the next try. */
async function removeWhole(folder: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await removeTree(folder);
      return;
    } catch (error) {
      const isGone = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!isGone || tries === MAX_TRIES) throw error;
    }
  }
}
