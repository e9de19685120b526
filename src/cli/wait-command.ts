import type { Connection } from "./connect.ts";
import { type Io, say, tell } from "./io.ts";
import type { JobTally } from "./job-tally.ts";
import { bar, progressLine } from "./progress.ts";
import { printable } from "./text.ts";
import { durationText } from "./units.ts";
import { type JobSource, type WaitProgress, waitForJobs, waitForQuiet } from "./wait-for-jobs.ts";

type Client = Connection["client"];

/** What to wait for: these jobs, or until a service (or the server) has nothing to do. */
export type WaitFor =
  | { readonly kind: "jobs"; readonly ids: readonly string[] }
  | { readonly kind: "quiet"; readonly service?: string; readonly since?: string };

/** Waits with progress on stderr, then says how the jobs ended. @returns 0 when all succeeded, else 1 */
export async function waitAndTell(client: Client, what: WaitFor, io: Io): Promise<number> {
  const startedAt = performance.now();
  const progress = progressLine(io);
  const show = ({ ended, known }: WaitProgress): void =>
    progress.update(
      () => `${bar(ended, known)}  ${ended} of ${known} jobs  ${durationText(performance.now() - startedAt)}`,
    );
  const source = jobSource(client);
  let tally: JobTally;
  try {
    tally = what.kind === "jobs" ? await waitForJobs(source, what.ids, show) : await waitForQuiet(source, what, show);
  } finally {
    progress.clear();
  }
  for (const line of tally.failures()) tell(io, printable(line));
  for (const line of tally.replacements()) tell(io, printable(line));
  if (what.kind === "quiet" && what.since === undefined && tally.ended === 0)
    tell(io, "Nothing waits or runs; jobs that ended before are told with: --since 10m");
  say(io, tally.summary());
  return tally.good ? 0 : 1;
}

function jobSource(client: Client): JobSource {
  return {
    job: (id) => client.getJob(id),
    jobs: (query) => client.listJobs(query),
    changes: (signal) => client.changes({ signal, kinds: JOB_KINDS }),
  };
}

const JOB_KINDS = ["job.queued", "job.succeeded", "job.failed", "job.cancelled", "job.removed"] as const;
