import type { Connection } from "./connect.ts";
import { type Io, tell } from "./io.ts";
import { isJobOf } from "./wait-for-jobs.ts";

type Client = Connection["client"];

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly attempt?: number;
}

/** Writes the bytes of one job's log to stdout as they come; waits while stdout is slow. */
export async function writeLog(client: Client, jobId: string, options: LogOptions, io: Io): Promise<void> {
  for await (const chunk of client.jobLog(jobId, options)) await write(io, chunk);
}

/** Follows a service without end: the log of every job that runs, each line behind the end of its job's id. */
export async function followService(client: Client, service: string, options: LogOptions, io: Io): Promise<void> {
  const followed = new Set<string>();
  const start = (id: string): void => {
    if (followed.has(id)) return;
    followed.add(id);
    writeMarked(client, id, options, io)
      .catch((error: Error) => tell(io, `Cannot follow ${id}: ${error.message}`))
      .finally(() => followed.delete(id));
  };
  const { jobs } = await client.listJobs({ service, states: ["RUNNING"], limit: 100 });
  for (const job of jobs) start(job.id);
  tell(io, `Following the jobs of ${service}; Ctrl-C ends it`);
  for await (const change of client.changes({ kinds: ["job.running"] })) {
    if (isJobOf(change.key, service)) start(change.key);
  }
}

/** Enough of a random id to tell the jobs of one screen apart. */
const MARK_CHARACTERS = 8;

async function writeMarked(client: Client, id: string, options: LogOptions, io: Io): Promise<void> {
  const mark = `[${id.slice(-MARK_CHARACTERS)}] `;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of client.jobLog(id, { ...options, follow: true })) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) await write(io, Buffer.from(lines.map((line) => `${mark}${line}\n`).join("")));
  }
  if (rest !== "") await write(io, Buffer.from(`${mark}${rest}\n`));
}

async function write(io: Io, chunk: Uint8Array): Promise<void> {
  if (io.stdout.write(chunk)) return;
  await new Promise((resolve) => io.stdout.once("drain", resolve));
}
