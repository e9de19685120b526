import { setTimeout as sleep } from "node:timers/promises";
import type { Change, Gap, Job, JobPage, JobQuery, JobState } from "../client/client.ts";
import { JobTally } from "./job-tally.ts";
import { PARALLEL_TRANSFERS } from "./transfers.ts";
import { Wake } from "./wake.ts";

/** Waiting asks the server again when its event stream says that a job changed. The stream is a hint, never the truth: it may be cut,
 *  refused by a proxy, or start late, so every wait also looks by itself:
 *  - while the stream stands, after LOOK_ANYWAY_MS, in case a change fell between the first look and the stream's start;
 *  - while it does not, every POLL_MS. */
const LOOK_ANYWAY_MS = 5000;
const POLL_MS = 1000;
const RECONNECT_MS = 3000;
const BETWEEN_LOOKS_MS = 100;

/** What waiting needs of a server. */
export interface JobSource {
  job(id: string): Promise<Job>;
  jobs(query: JobQuery): Promise<JobPage>;
  /** The changes of jobs from now on; ends or fails when the stream does. */
  changes(signal: AbortSignal): AsyncIterable<Pick<Change | Gap, "kind" | "key">>;
}

export interface WaitProgress {
  /** Jobs that ended so far, and all that are known. */
  readonly ended: number;
  readonly known: number;
}

const ACTIVE: readonly JobState[] = ["QUEUED", "RUNNING", "DELIVERING"];
const ENDED: readonly JobState[] = ["SUCCEEDED", "FAILED", "CANCELLED"];
const hasEnded = (job: Job): boolean => ENDED.includes(job.state);

/** Resolves when every one of these jobs has ended. @throws SluiceError JOB_UNKNOWN */
export async function waitForJobs(
  source: JobSource,
  ids: readonly string[],
  onProgress: (progress: WaitProgress) => void,
): Promise<JobTally> {
  const tally = new JobTally();
  const pending = new Set(ids);
  const known = pending.size;
  const changed = new Set<string>();
  await using bell = followChanges(source, (change) => {
    if (!pending.has(change.key)) return false;
    changed.add(change.key);
    return true;
  });
  let look: readonly string[] = [...pending];
  for (;;) {
    await inParallel(look, async (id) => {
      const job = await source.job(id);
      if (!hasEnded(job) || !pending.delete(id)) return;
      tally.add(job);
      onProgress({ ended: known - pending.size, known });
    });
    if (pending.size === 0) return tally;
    onProgress({ ended: known - pending.size, known });
    const rung = await bell.wait();
    look = rung ? [...changed].filter((id) => pending.has(id)) : [...pending];
    changed.clear();
  }
}

/** Resolves when no job (of the service) is queued or running, and tells how those ended that were active at the start or began since; with
 *  `since` also the older ones from that time on. */
export async function waitForQuiet(
  source: JobSource,
  { service, since }: { readonly service?: string; readonly since?: string },
  onProgress: (progress: WaitProgress) => void,
): Promise<JobTally> {
  const of = service === undefined ? {} : { service };
  const progress = { ended: 0, known: 0 };
  await using bell = followChanges(source, ({ kind, key }) => {
    if (service !== undefined && !isJobOf(key, service)) return false;
    if (kind === "job.queued") progress.known += 1;
    else if (kind !== "job.running" && kind !== "job.retrying") progress.ended += 1;
    onProgress(progress);
    return kind !== "job.queued";
  });
  // The server's times only: its clock need not agree with ours.
  const newest = (await source.jobs({ ...of, limit: 1 })).jobs[0];
  const active = new Map<string, string>();
  for await (const job of eachJob(source, { ...of, states: ACTIVE })) active.set(job.id, job.created_at);
  progress.known = Math.max(progress.known, active.size);
  onProgress(progress);
  await untilQuiet(source, of, bell);
  return tallySince(source, of, { active, newest, since });
}

/** An outcome with very many outputs becomes jobs in steps: one look that finds nothing could fall between two of them. */
async function untilQuiet(source: JobSource, of: JobQuery, bell: Bell): Promise<void> {
  for (let quietLooks = 0; quietLooks < 2; ) {
    const { jobs } = await source.jobs({ ...of, states: ACTIVE, limit: 1 });
    quietLooks = jobs.length === 0 ? quietLooks + 1 : 0;
    if (jobs.length > 0) await bell.wait();
    // Also keeps a storm of changes from becoming a storm of looks.
    await sleep(BETWEEN_LOOKS_MS);
  }
}

/** Jobs of one wait: `active` at its start, newer than the `newest` then, or from `since` on. */
async function tallySince(
  source: JobSource,
  of: JobQuery,
  wait: {
    readonly active: ReadonlyMap<string, string>;
    readonly newest: Job | undefined;
    readonly since?: string | undefined;
  },
): Promise<JobTally> {
  const tally = new JobTally();
  const newestAt = wait.newest?.created_at;
  const times = [...wait.active.values(), newestAt, wait.since].filter((time) => time !== undefined);
  const oldest = times.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0];
  const begunAt = newestAt === undefined ? Number.NEGATIVE_INFINITY : Date.parse(newestAt);
  const sinceAt = wait.since === undefined ? Number.POSITIVE_INFINITY : Date.parse(wait.since);
  const query = oldest === undefined ? of : { ...of, since: oldest };
  for await (const job of eachJob(source, { ...query, states: ENDED })) {
    const at = Date.parse(job.created_at);
    if (wait.active.has(job.id) || at > begunAt || at >= sinceAt) tally.add(job);
  }
  return tally;
}

/** Every job of a query, page by page. */
export async function* eachJob(source: Pick<JobSource, "jobs">, query: JobQuery): AsyncGenerator<Job> {
  let after: string | null = null;
  do {
    const page: JobPage = await source.jobs({ ...query, limit: 1000, ...(after === null ? {} : { after }) });
    yield* page.jobs;
    after = page.next;
  } while (after !== null);
}

/** Job ids are `<service>-<uuid>`, with the first 16 characters of a long name. */
export function isJobOf(id: string, service: string): boolean {
  const head = id.replace(/-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "");
  return head === service || (service.length >= 25 && head === service.slice(0, 16));
}

interface Bell extends AsyncDisposable {
  /** Resolves with true when a change that matters came, with false when it is time to look anyway. */
  wait(): Promise<boolean>;
}

/** Keeps the event stream open, again and again, until disposed. */
function followChanges(source: JobSource, matters: (change: Pick<Change | Gap, "kind" | "key">) => boolean): Bell {
  const wake = new Wake();
  const stop = new AbortController();
  let standing = true;
  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        standing = true;
        for await (const change of source.changes(stop.signal)) if (matters(change)) wake.ring();
      } catch {
        // Looking by itself goes on, and says what is wrong when the server is gone.
      }
      standing = false;
      await sleep(RECONNECT_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {});
    }
  };
  const following = follow();
  return {
    wait: () => wake.wait(standing ? LOOK_ANYWAY_MS : POLL_MS),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await following;
    },
  };
}

async function inParallel<T>(items: readonly T[], one: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const carry = async (): Promise<void> => {
    for (const item of queue) await one(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_TRANSFERS, items.length) }, carry));
}
