import { rmdirSync } from "node:fs";
import { killAndRemove, subfolders } from "./cgroup-file.ts";
import { isOwned, isOwnedBy, ownedName, ownerIsGone } from "./owned-name.ts";

/** Clears what killed servers left below the mounts: of the server `name` itself every group but those in `open`, with what runs in them; of others
 *  that are gone only what is empty. One sentence each. */
export async function reclaimGroups(
  mounts: readonly string[],
  name: string,
  open: ReadonlySet<string>,
): Promise<string[]> {
  const said = new Map<string, string>();
  for (const root of new Set(mounts).values().flatMap((mount) => ownedGroups(mount))) {
    const entry = root.slice(root.lastIndexOf("/") + 1);
    if (entry === ownedName(name)) await reclaimSlots(root, open, said);
    else if (isOwnedBy(entry, name) && !entry.endsWith(".server")) await reclaimSlots(root, new Set(), said);
    if (ownerIsGone(entry)) removeEmpty(root);
  }
  return [...said.values()];
}

async function reclaimSlots(root: string, open: ReadonlySet<string>, said: Map<string, string>): Promise<void> {
  for (const group of subfolders(root).filter((candidate) => !open.has(candidate))) {
    const killed = await killAndRemove(`${root}/${group}`);
    if (killed === null) said.set(group, `Cannot remove the control group ${root}/${group}: it is not empty`);
    else if (killed > 0) said.set(group, `Killed ${killed} processes that an earlier server left in ${group}`);
  }
}

/** A group that holds processes stays: the kernel refuses. */
function removeEmpty(folder: string): void {
  for (const child of subfolders(folder)) removeEmpty(`${folder}/${child}`);
  try {
    rmdirSync(folder);
  } catch {
    // Not empty, or not ours to remove.
  }
}

/** Groups of any Sluice server, at most `depth` levels below `mount`: one that was killed may have stood in another group than this one. */
export function ownedGroups(mount: string, depth = 5): string[] {
  return subfolders(mount).flatMap((child) => {
    const path = `${mount}/${child}`;
    if (isOwned(child)) return [path];
    return depth > 1 ? ownedGroups(path, depth - 1) : [];
  });
}
