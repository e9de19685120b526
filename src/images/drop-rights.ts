import { flushCompileCache } from "node:module";

/** The host user that unpacked images belong to. */
export interface ImagesUser {
  readonly uid: number;
  readonly gid: number;
}

/** Takes the rights of a user for the rest of the process's life; null keeps those that it has. Done by the process itself and not by who starts it:
 *  the programs of this server may lie where that user cannot go. @throws when root's rights are not gone afterwards */
export function dropRights(user: ImagesUser | null): void {
  // What Node has made of the sources is written now: afterwards the folder for it is another's.
  flushCompileCache();
  if (user === null) return;
  const { setgroups, setgid, setuid, getuid, geteuid, getgid } = process;
  if (!setgroups || !setgid || !setuid || !getuid || !geteuid || !getgid) throw new Error("this system has no users");
  setgroups([]);
  setgid(user.gid);
  setuid(user.uid);
  if (user.uid === 0 || getuid() !== user.uid || geteuid() !== user.uid || getgid() !== user.gid) {
    throw new Error("the rights of root were not given up");
  }
}
