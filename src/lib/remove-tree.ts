import { chmodSync, lstatSync, rmdirSync, unlinkSync } from "node:fs";
import { walkInSlices } from "./walk-tree.ts";

const OWNER_ALL = 0o700;

/** Removes a folder that a script may have filled: any depth, any names, folders without permissions, links (removed, never followed).
 *  Nothing may write in it meanwhile. The event loop goes on. A path that does not exist is no error. */
export async function removeTree(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  chmodSync(path, OWNER_ALL);
  await walkInSlices(path, ({ phase, kind, path: entry }) => {
    if (kind !== "folder") unlinkSync(entry);
    else if (phase === "leave") rmdirSync(entry);
    else chmodSync(entry, OWNER_ALL);
    return true;
  });
  rmdirSync(path);
}
