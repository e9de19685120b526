import { chmodSync, lstatSync, rmdir, unlinkSync } from "node:fs";
import { promisify } from "node:util";
import { walkInSlices } from "./walk-tree.ts";

const OWNER_ALL = 0o700;

/** Removing a folder waits for the file system's journal, a hundred times longer than the call takes by itself: not on the main thread. */
const removeFolder = promisify(rmdir) as (path: string | Buffer) => Promise<void>;

/** Removes a folder that a script may have filled: any depth, any names, folders without permissions, links (removed, never followed).
 *  Nothing may write in it meanwhile. The event loop goes on. A path that does not exist is no error. */
export async function removeTree(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  chmodSync(path, OWNER_ALL);
  await walkInSlices(path, ({ phase, kind, path: entry }) => {
    if (kind !== "folder") unlinkSync(entry);
    else if (phase === "leave") return removeFolder(entry).then(() => true);
    else chmodSync(entry, OWNER_ALL);
    return true;
  });
  await removeFolder(path);
}
