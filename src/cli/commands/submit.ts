import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { connect } from "../connect.ts";
import { type Io, say, tell } from "../io.ts";
import { SERVER_OPTIONS } from "../server-options.ts";

const USAGE = "submit SERVICE [FILE]";

export const command = defineCommand({
  name: "submit",
  summary: "Call a service; its job runs later",
  usage: [USAGE],
  description: ["The file, or what comes on stdin, is the job's input. Prints the job's id."],
  options: {
    run: { type: "string", value: "NAME", help: "A name for this run, to list its jobs by: sluice jobs --run NAME" },
    ...SERVER_OPTIONS,
  },
  examples: [
    "sluice submit thumbnails cat.jpg",
    "echo '{\"n\": 3}' | sluice submit sums",
    "sluice jobs wait $(sluice submit sums data.csv)",
  ],
  async run({ flags, positionals }, io) {
    const [service = "", file] = expectArguments(USAGE, positionals, 1, 2);
    const body = await bodyFrom(file, io);
    const { client } = await connect(flags, io);
    const { ids, count } = await client.submitJob(service, body, flags.run === undefined ? {} : { run: flags.run });
    for (const id of ids) say(io, id);
    if (count > ids.length) tell(io, `${count} jobs in all; see: sluice jobs ${service}`);
    if (count === 0) tell(io, "The event made no job");
    return 0;
  },
});

async function bodyFrom(file: string | undefined, io: Io): Promise<AsyncIterable<Uint8Array>> {
  if (file === undefined || file === "-") {
    if (io.stdin.isTTY === true) tell(io, "Reading the input from the terminal; Ctrl-D ends it");
    return io.stdin;
  }
  const path = resolve(io.cwd, file);
  const facts = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (facts instanceof Error) {
    if (facts.code !== "ENOENT") throw facts;
    throw new SluiceError("USAGE", `Cannot submit "${file}": there is no such file`);
  }
  if (facts.isDirectory()) {
    throw new SluiceError(
      "USAGE",
      `Cannot submit "${file}": it is a folder (upload it instead: sluice put ${file} BUCKET/PREFIX/)`,
    );
  }
  return createReadStream(path);
}
