import { chmodSync, writeFileSync } from "node:fs";
import { FILTERS } from "./call-filter/filters.ts";

/** Writes the filter of system calls as bubblewrap's `--seccomp` reads it. `call-filter/call-policy.ts` says what it allows.
 *  @returns false for a processor without one: then there is no file */
export function writeCallFilter(path: string, arch: NodeJS.Architecture = process.arch): boolean {
  const filter = FILTERS[arch];
  if (filter === undefined) return false;
  writeFileSync(path, Buffer.from(filter, "base64"));
  chmodSync(path, 0o444);
  return true;
}
