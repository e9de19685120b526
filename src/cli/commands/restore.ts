import { resolve } from "node:path";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say } from "../io.ts";

const USAGE = "restore BACKUP DIR [--blobs-dir PATH]";

export const command = defineCommand({
  name: "restore",
  summary: "Make a data directory from a backup",
  usage: [USAGE],
  description: ["Works without a server. DIR must be empty or not exist; a backup that lacks anything makes nothing."],
  options: {
    "blobs-dir": { type: "string", value: "PATH", help: "Where its blobs shall lie, if not in DIR (blobs_dir)" },
  },
  examples: ["sluice restore /var/backups/sluice-monday ./restored", "sluice up --data ./restored"],
  async run({ flags, positionals }, io) {
    const [backup = "", dir = ""] = expectArguments(USAGE, positionals, 2, 2);
    const { restore } = await import("../../state/backup.ts");
    const blobsDir = flags["blobs-dir"] === undefined ? null : resolve(io.cwd, flags["blobs-dir"]);
    await restore(resolve(io.cwd, backup), resolve(io.cwd, dir), blobsDir);
    const where = blobsDir === null ? "" : ` with blobs_dir: ${blobsDir}`;
    say(io, `Restored ${backup}; start it with: sluice up --data ${dir}${where}`);
    return 0;
  },
});
