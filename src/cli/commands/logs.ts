import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Connection, connect } from "../connect.ts";
import { followService, type LogOptions, writeLog } from "../follow-logs.ts";
import { type Io, tell } from "../io.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { parseCount } from "../units.ts";

const USAGE = "logs JOB-or-SERVICE [-f]";

export const command = defineCommand({
  name: "logs",
  summary: "Show what a job's script wrote",
  usage: [USAGE],
  description: [
    "Of a service: the log of its newest job; with -f the logs of all its jobs as they run, each line behind the end of its job's id.",
  ],
  options: {
    follow: { type: "boolean", short: "f", help: "Go on until the job has ended" },
    timestamps: { type: "boolean", help: "Put each line's arrival time before it" },
    attempt: { type: "string", value: "N", help: "Of this attempt (default: the latest)" },
    ...SERVER_OPTIONS,
  },
  examples: ["sluice logs thumbnails", "sluice logs thumbnails -f", "sluice logs thumbnails-0d9c… --timestamps"],
  async run({ flags, positionals }, io) {
    const [name = ""] = expectArguments(USAGE, positionals, 1, 1);
    const attempt = flags.attempt === undefined ? {} : { attempt: parseCount("attempt", flags.attempt) };
    const options: LogOptions = { follow: flags.follow === true, timestamps: flags.timestamps === true, ...attempt };
    const { client } = await connect(flags, io);
    if (looksLikeJob(name)) await writeLog(client, name, options, io);
    else await logsOfService(client, name, options, io);
    return 0;
  },
});

const looksLikeJob = (name: string): boolean => /-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name);

async function logsOfService(
  client: Connection["client"],
  service: string,
  options: LogOptions,
  io: Io,
): Promise<void> {
  const newest = (await client.listJobs({ service, limit: 1 })).jobs[0];
  if (newest === undefined) await client.getService(service);
  if (options.follow) return followService(client, service, options, io);
  if (newest === undefined) {
    throw new SluiceError(
      "JOB_UNKNOWN",
      `Cannot show the log of "${service}": it has no jobs yet (call it with: sluice submit ${service} FILE)`,
    );
  }
  tell(io, `Log of ${newest.id}, ${newest.state.toLowerCase()}`);
  await writeLog(client, newest.id, options, io);
}
