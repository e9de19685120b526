import { defineCommand, expectArguments } from "../arguments.ts";
import { say } from "../io.ts";
import { packageVersion } from "../version.ts";

export const command = defineCommand({
  name: "version",
  summary: "Print the version",
  usage: ["version"],
  options: {},
  examples: ["sluice version", "sluice --version"],
  async run({ positionals }, io) {
    expectArguments("version", positionals, 0, 0);
    say(io, packageVersion());
    return 0;
  },
});
