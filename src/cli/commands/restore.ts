import { resolve } from "node:path";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say } from "../io.ts";

const USAGE = "restore BACKUP DIR";

export const command = defineCommand({
  name: "restore",
  summary: "Make a data directory from a backup",
  usage: [USAGE],
  description: ["Works without a server. DIR must be empty or not exist; a backup that lacks anything makes nothing."],
  options: {},
  examples: ["sluice restore /var/backups/sluice-monday ./restored", "sluice up --data ./restored"],
  async run({ positionals }, io) {
    const [backup = "", dir = ""] = expectArguments(USAGE, positionals, 2, 2);
    const { restore } = await import("../../state/backup.ts");
    await restore(resolve(io.cwd, backup), resolve(io.cwd, dir));
    say(io, `Restored ${backup}; start it with: sluice up --data ${dir}`);
    return 0;
  },
});
