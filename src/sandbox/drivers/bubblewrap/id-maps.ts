import { writeFileSync } from "node:fs";

/** Which ids of this machine stand for which in a user namespace, a line `INSIDE OUTSIDE COUNT` each. */
export interface IdMaps {
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** An id that no account has: what the kernel shows for owners that are not mapped. */
const OVERFLOW_ID = 65_534;

/** In the namespace where a slot mounts its roots it is root, which is nobody outside. The owner of images is mapped as well: the kernel copies a file
 *  of a lower layer into the upper one only where its owner has a place. */
export function rootMaps(slot: { readonly uid: number; readonly gid: number }, imagesUid: number | null): IdMaps {
  const owner = imagesUid === null ? [] : [`${OVERFLOW_ID} ${imagesUid} 1`];
  return { users: [`0 ${slot.uid} 1`, ...owner], groups: [`0 ${slot.gid} 1`] };
}

/** Gives ids to the user namespace of a process, once. An ordinary user may map only itself, and only where `setgroups` is off. */
export function writeIdMaps(pid: number, maps: IdMaps): void {
  writeFileSync(`/proc/${pid}/setgroups`, "deny");
  writeFileSync(`/proc/${pid}/uid_map`, `${maps.users.join("\n")}\n`);
  writeFileSync(`/proc/${pid}/gid_map`, `${maps.groups.join("\n")}\n`);
}
