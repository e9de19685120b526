import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What `DIR/server.json` says while the server runs, so that commands on this machine find it. */
export interface ServerFile {
  readonly api: string;
  readonly s3: string;
  readonly pid: number;
  readonly version: string;
}

const fileIn = (dataDir: string): string => join(dataDir, "server.json");

/** Readable by its owner alone; renamed into place, so that nobody reads half of it. Not synced: after a power cut no server runs. */
export function writeServerFile(dataDir: string, content: ServerFile): void {
  const temporary = `${fileIn(dataDir)}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600, flag: "wx" });
  renameSync(temporary, fileIn(dataDir));
}

export function removeServerFile(dataDir: string): void {
  rmSync(fileIn(dataDir), { force: true });
}
