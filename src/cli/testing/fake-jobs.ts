import type { Change, Job, JobQuery } from "../../client/client.ts";
import { SluiceError } from "../../core/errors.ts";
import type { JobSource } from "../wait-for-jobs.ts";

export function job(over: Partial<Job> & Pick<Job, "id">): Job {
  return {
    service: "thumbs",
    state: "QUEUED",
    status: "Pending",
    priority: 0,
    input_bytes: 1,
    event_id: "event",
    root_event_id: "event",
    hops: 0,
    script_failures: 0,
    reason: null,
    message: "",
    owner: "cluster_admin",
    revision: "rev-1",
    run: null,
    input: { bucket: "photos", key: "in/a.jpg", version: 1 },
    parent_job: null,
    retry_of: null,
    attempt: 1,
    exit_code: null,
    signal: null,
    created_at: "2026-03-05T14:00:00.000Z",
    not_before: "2026-03-05T14:00:00.000Z",
    started_at: null,
    ended_at: null,
    usage: null,
    output_count: 0,
    replaced_outputs: 0,
    ...over,
  };
}

const KINDS: Readonly<Record<Job["state"], Change["kind"]>> = {
  QUEUED: "job.retrying",
  RUNNING: "job.running",
  DELIVERING: "job.running",
  SUCCEEDED: "job.succeeded",
  FAILED: "job.failed",
  CANCELLED: "job.cancelled",
};

type Heard = Pick<Change, "kind" | "key">;

/** A server's jobs, with an event stream that may be broken. */
export class FakeJobs implements JobSource {
  readonly all = new Map<string, Job>();
  /** How often each call was made. */
  readonly calls = { job: 0, jobs: 0, changes: 0 };
  streamWorks = true;
  pageSize = 1000;
  #listeners = new Set<(change: Heard) => void>();

  set(next: Job): void {
    const isNew = !this.all.has(next.id);
    this.all.set(next.id, next);
    const kind = isNew ? "job.queued" : KINDS[next.state];
    for (const listener of this.#listeners) listener({ kind, key: next.id });
  }

  /** Moves a job that is there. */
  end(id: string, over: Partial<Job> = {}): void {
    const before = this.all.get(id);
    if (before) this.set({ ...before, state: "SUCCEEDED", ...over });
  }

  async job(id: string): Promise<Job> {
    this.calls.job += 1;
    const found = this.all.get(id);
    if (!found) throw new SluiceError("JOB_UNKNOWN", `Cannot find the job "${id}"`);
    return found;
  }

  async jobs(query: JobQuery) {
    this.calls.jobs += 1;
    const matching = [...this.all.values()].filter(
      (each) =>
        (query.service === undefined || each.service === query.service) &&
        (query.states === undefined || query.states.includes(each.state)) &&
        (query.since === undefined || Date.parse(each.created_at) >= Date.parse(query.since)),
    );
    const from = Number(query.after ?? 0);
    const to = from + Math.min(query.limit ?? 100, this.pageSize);
    const newest = matching.toReversed();
    return { jobs: newest.slice(from, to), next: to < newest.length ? String(to) : null };
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Heard> {
    this.calls.changes += 1;
    if (!this.streamWorks) throw new SluiceError("UNREACHABLE", "no stream here");
    const waiting: Heard[] = [];
    let wake = (): void => {};
    const listener = (change: Heard): void => {
      waiting.push(change);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => wake());
    while (!signal.aborted) {
      const next = waiting.shift();
      if (next) yield next;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    this.#listeners.delete(listener);
  }
}
