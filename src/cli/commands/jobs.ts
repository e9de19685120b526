import type { Job, JobQuery, JobState } from "../../client/client.ts";
import { SluiceError } from "../../core/errors.ts";
import { nearest } from "../../lib/nearest.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Connection, connect } from "../connect.ts";
import { type Io, tell } from "../io.ts";
import { JOB_COLUMNS } from "../job-table.ts";
import { cancelJobs, removeJobs, retryJobs, showJobs } from "../job-verbs.ts";
import { FORMAT_OPTION, type Format, parseFormat, printListing } from "../listing.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { parseCount, parseSince } from "../units.ts";
import { type WaitFor, waitAndTell } from "../wait-command.ts";

const DEFAULT_LIMIT = "100";
const LARGEST_PAGE = 1000;

export const command = defineCommand({
  name: "jobs",
  summary: "List, show, wait for, cancel, retry or remove jobs",
  usage: [
    "jobs [SERVICE] [--state S] [--since T] [--run NAME] [--limit N]",
    "jobs show|cancel|retry|rm ID…",
    "jobs wait ID…",
    "jobs wait --all [SERVICE] [--since T]",
  ],
  description: [
    "`wait` shows progress and exits with 1 when a job failed or was cancelled. With --all it waits until nothing is queued or running, and counts the jobs that were active or began meanwhile; with --since also older ones.",
    "`retry` runs the same input again by a new job on the service's current revision, and prints the new id.",
  ],
  options: {
    state: {
      type: "string",
      multiple: true,
      value: "S",
      help: "queued, running, delivering, succeeded, failed or cancelled; several with commas",
    },
    since: { type: "string", value: "T", help: "Made since then: 10m, 2h, 3d, or 2026-03-05T14:00:00Z" },
    run: { type: "string", value: "NAME", help: "Of this run: sluice submit --run NAME" },
    limit: { type: "string", value: "N", help: `Most jobs to list, newest first (default ${DEFAULT_LIMIT})` },
    all: { type: "boolean", help: "With wait: until nothing is queued or running" },
    ...FORMAT_OPTION,
    ...SERVER_OPTIONS,
  },
  examples: [
    "sluice jobs --state failed --since 1h",
    "sluice jobs wait --all thumbnails",
    "sluice jobs retry $(sluice jobs --state failed -o name)",
  ],
  async run({ flags, positionals }, io) {
    const [verb = "", ...rest] = positionals;
    const format = parseFormat(flags.output);
    const since =
      flags.since === undefined ? {} : { since: new Date(parseSince(flags.since, Date.now())).toISOString() };
    if (flags.all === true && verb !== "wait")
      throw new SluiceError("USAGE", "Cannot use --all here: it goes with wait");
    const what = verb === "wait" ? waitFor(flags.all === true, rest, since) : null;
    const action = isAction(verb) ? ACTIONS[verb] : null;
    if (action) expectArguments(`jobs ${verb} ID…`, rest, 1);
    const { client } = await connect(flags, io);
    if (what?.kind === "quiet" && what.service !== undefined) await requireKnown(client, what.service);
    if (what) return waitAndTell(client, what, io);
    if (action) return action(client, rest, format, io);
    const [service] = expectArguments("jobs [SERVICE]", positionals, 0, 1);
    if (service !== undefined) await requireKnown(client, service);
    const states = parseStates(flags.state ?? []);
    const query: JobQuery = {
      ...since,
      ...(service === undefined ? {} : { service }),
      ...(states.length === 0 ? {} : { states }),
      ...(flags.run === undefined ? {} : { run: flags.run }),
    };
    return list(client, query, parseCount("limit", flags.limit ?? DEFAULT_LIMIT), format, io);
  },
});

type Client = Connection["client"];
/** A name with a slip would have no jobs. One that was removed may have some.
 *  @throws SluiceError SERVICE_UNKNOWN */
async function requireKnown(client: Client, service: string): Promise<void> {
  const { jobs } = await client.listJobs({ service, limit: 1 });
  if (jobs.length === 0) await client.getService(service);
}

type Action = (client: Client, ids: readonly string[], format: Format, io: Io) => Promise<number>;

const ACTIONS = {
  show: showJobs,
  cancel: (client, ids, _format, io) => cancelJobs(client, ids, io),
  retry: (client, ids, _format, io) => retryJobs(client, ids, io),
  rm: (client, ids, _format, io) => removeJobs(client, ids, io),
} as const satisfies Record<string, Action>;

const isAction = (word: string): word is keyof typeof ACTIONS => Object.hasOwn(ACTIONS, word);

function waitFor(all: boolean, rest: readonly string[], since: { readonly since?: string }): WaitFor {
  if (!all) return { kind: "jobs", ids: expectArguments("jobs wait ID…", rest, 1) };
  const [service] = expectArguments("jobs wait --all [SERVICE]", rest, 0, 1);
  return { kind: "quiet", ...since, ...(service === undefined ? {} : { service }) };
}

const STATES: readonly JobState[] = ["QUEUED", "RUNNING", "DELIVERING", "SUCCEEDED", "FAILED", "CANCELLED"];

function parseStates(texts: readonly string[]): JobState[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((text) => {
      const state = STATES.find((each) => each === text.trim().toUpperCase());
      if (state !== undefined) return state;
      const close = nearest(
        text,
        STATES.map((each) => each.toLowerCase()),
      );
      const hint = close === null ? "" : ` (did you mean "${close}"?)`;
      throw new SluiceError(
        "USAGE",
        `Cannot list jobs in the state "${text}": the states are ${STATES.join(", ").toLowerCase()}${hint}`,
      );
    });
}

async function list(client: Client, query: JobQuery, limit: number, format: Format, io: Io): Promise<number> {
  const jobs: Job[] = [];
  let next: string | null = null;
  do {
    const page: { jobs: readonly Job[]; next: string | null } = await client.listJobs({
      ...query,
      limit: Math.min(limit - jobs.length, LARGEST_PAGE),
      ...(next === null ? {} : { after: next }),
    });
    jobs.push(...page.jobs);
    next = page.next;
  } while (next !== null && jobs.length < limit);
  await printListing(io, format, {
    raw: { jobs, next },
    items: jobs,
    columns: JOB_COLUMNS,
    name: (job) => job.id,
    empty: "No jobs (upload a file to a service's input path, or: sluice submit SERVICE FILE)",
  });
  if (next !== null && format === "table") tell(io, `There are more; see them with: --limit ${limit * 10}`);
  return 0;
}
