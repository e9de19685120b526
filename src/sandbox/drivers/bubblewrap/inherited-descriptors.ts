import { closeSync, fstatSync, readdirSync, readFileSync } from "node:fs";

/** `O_CLOEXEC` in the octal flags of `/proc/self/fdinfo`. */
const CLOSE_ON_EXEC = 0o2000000;

/** Closes descriptors above 2 that a started program would inherit. Everything that Node or its libraries open is marked to close on
 *  exec, so these came from whoever started the server (a shell's redirection, a supervisor's pipe); bubblewrap passes on what it
 *  gets, and a script must not. Call it before the server opens anything of its own. Returns how many there were. */
export function closeInherited(): number {
  const inherited = readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > 2 && passesOn(fd));
  for (const fd of inherited) closeSync(fd);
  return inherited.length;
}

function passesOn(fd: number): boolean {
  try {
    fstatSync(fd);
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    return false;
  }
}
