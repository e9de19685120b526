import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where `scripts/setup.sh --peers` puts them. */
const FOLDER = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "sluice", "peers");

/** The program's file, or null when it is not installed. */
export function peerProgram(name: string): string | null {
  const file = join(FOLDER, name);
  return existsSync(file) ? file : null;
}
