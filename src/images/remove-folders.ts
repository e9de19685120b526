import { closeSync, writeSync } from "node:fs";
import { removeTree } from "../lib/remove-tree.ts";
import { dropRights, type ImagesUser } from "./drop-rights.ts";

/** A program of its own, as a layer may hold a million files: `node remove-folders.ts JOB`. Paths count from the working directory. */

/** JSON of the first argument. */
export interface RemovalJob {
  readonly user: ImagesUser | null;
  readonly folders: readonly string[];
}

const { user, folders } = JSON.parse(process.argv[2] ?? "") as RemovalJob;
dropRights(user);
for (const folder of folders) await removeTree(folder);
writeSync(3, "{}");
closeSync(3);
