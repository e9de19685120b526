import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { removeTree } from "../lib/remove-tree.ts";

/** Makes `DIR/work` ready at start: there, open to the sandboxes' users to walk through and to nobody to list, and empty. What a killed server left in
 *  it is removed, so its sandboxes must be gone (`Sandbox.reclaim`).
 *  @param slotsGid group of the sandboxes' users, when the server is root
 *  @returns how many folders of attempts were removed */
export async function prepareWorkFolder(path: string, slotsGid: number | null): Promise<number> {
  mkdirSync(dirname(path), { recursive: true });
  makeWorkFolder(path, slotsGid);
  await spreadFolders(path);
  const left = await readdir(path, { encoding: "buffer" });
  for (const name of left) await removeTree(join(path, name.toString()));
  return left.length;
}

/** Makes the folder with its owner and mode; one that is there gets them anew. The folder above it must be there.
 *  @throws errors of the file system */
export function makeWorkFolder(path: string, slotsGid: number | null): void {
  if (!existsSync(path)) mkdirSync(path);
  if (slotsGid !== null) chownSync(path, 0, slotsGid);
  chmodSync(path, slotsGid === null ? 0o700 : 0o710);
}

/** Asks ext4 to place each folder that is made in this one in a block group of its own, as it places home folders. Files are made in their folder's
 *  group, and without a journal the search for a free inode looks at each that was removed from the group in the last minutes, by whomever.
 *  Resolves false where it stays as it is: other file systems know no such flag, and a machine may lack the program that sets it. */
export function spreadFolders(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile("chattr", ["+T", path], (error) => resolve(error === null));
  });
}
