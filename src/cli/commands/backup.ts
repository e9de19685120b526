import { resolve } from "node:path";
import { defineCommand, expectArguments } from "../arguments.ts";
import { connect } from "../connect.ts";
import { say } from "../io.ts";
import { SERVER_OPTIONS } from "../server-options.ts";

const USAGE = "backup TARGET";

export const command = defineCommand({
  name: "backup",
  summary: "Copy a running server's data",
  usage: [USAGE],
  description: [
    "The server goes on working meanwhile. TARGET is a folder that does not exist yet, on the server's machine; on the same file system the copy shares its bytes with the data directory and is quick.",
  ],
  options: { ...SERVER_OPTIONS },
  examples: ["sluice backup /var/backups/sluice-monday", "sluice restore /var/backups/sluice-monday ./sluice-data"],
  async run({ flags, positionals }, io) {
    const [target = ""] = expectArguments(USAGE, positionals, 1, 1);
    const { client } = await connect(flags, io);
    const made = await client.backup(resolve(io.cwd, target));
    say(io, `Backed up to ${made.target}; restore it with: sluice restore ${made.target} DIR`);
    return 0;
  },
});
