import type { Connection } from "./connect.ts";
import { asSluiceError, exitCode } from "./failure.ts";
import { type Io, say, tell } from "./io.ts";
import { jobFacts } from "./job-table.ts";
import { type Format, printData, printFacts } from "./listing.ts";

type Client = Connection["client"];

/** Prints jobs one by one; as data, several become a list. */
export async function showJobs(client: Client, ids: readonly string[], format: Format, io: Io): Promise<number> {
  const jobs = await Promise.all(ids.map((id) => client.getJob(id)));
  const [only] = jobs;
  if ((format === "json" || format === "yaml") && jobs.length > 1) {
    await printData(io, format, jobs);
    return 0;
  }
  if (only === undefined) return 0;
  for (const job of jobs) {
    if (job !== only && format === "table") say(io, "");
    await printFacts(io, format, { raw: job, name: job.id, facts: jobFacts(job) });
  }
  return 0;
}

export const cancelJobs = (client: Client, ids: readonly string[], io: Io): Promise<number> =>
  forEach(ids, io, async (id) => {
    await client.cancelJob(id);
    say(io, `Cancelled ${id}`);
  });

/** Prints the new jobs' ids, alone on their lines, so that they can be piped. */
export const retryJobs = (client: Client, ids: readonly string[], io: Io): Promise<number> =>
  forEach(ids, io, async (id) => say(io, (await client.retryJob(id)).id));

export const removeJobs = (client: Client, ids: readonly string[], io: Io): Promise<number> =>
  forEach(ids, io, async (id) => {
    await client.removeJob(id);
    say(io, `Removed ${id}`);
  });

/** One that fails does not keep the others back. @returns 0, or the exit code of the first failure */
async function forEach(ids: readonly string[], io: Io, one: (id: string) => Promise<void>): Promise<number> {
  let code = 0;
  for (const id of ids) {
    await one(id).catch((thrown: unknown) => {
      const error = asSluiceError(thrown);
      if (error.code === "UNREACHABLE" || error.code === "UNAUTHENTICATED") throw error;
      tell(io, `sluice: ${error.code}: ${error.message}`);
      code ||= exitCode(error);
    });
  }
  return code;
}
