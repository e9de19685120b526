import { isTerminal, type Job } from "../../core/job.ts";
import type { LogChunk, LogStore } from "../../logs/logs.ts";
import type { State } from "../../state/state.ts";
import { rfc3339 } from "../answers.ts";
import type { Wakeups } from "./wakeups.ts";

/** How long a follower sleeps at most before it looks again at a job that has not begun. */
const LOOK_AGAIN_MS = 30_000;
const LINE_END = 0x0a;

export interface JobLogQuery {
  readonly job: Job;
  /** Null for the latest, and with `follow` for those that come after it too. */
  readonly attempt: number | null;
  readonly follow: boolean;
  /** Puts each line's arrival time before it. */
  readonly timestamps: boolean;
  readonly signal: AbortSignal;
}

interface LogSource {
  readonly state: Pick<State, "job">;
  readonly logs: Pick<LogStore, "read">;
}

/** The bytes of a job's log. A follower waits for a job that is queued, and stays through its retries until the job has ended. */
export function jobLog(source: LogSource, wakeups: Wakeups, query: JobLogQuery): AsyncGenerator<Uint8Array> {
  const chunks = query.follow ? followed(source, wakeups, query) : written(source, query);
  return query.timestamps ? withTimes(chunks) : plain(chunks);
}

async function* written({ logs }: LogSource, query: JobLogQuery): AsyncGenerator<LogChunk> {
  const attempt = query.attempt ?? query.job.attempt;
  if (attempt > 0) yield* logs.read(query.job.id, attempt, { follow: false, signal: query.signal });
}

async function* followed(source: LogSource, wakeups: Wakeups, query: JobLogQuery): AsyncGenerator<LogChunk> {
  const { id } = query.job;
  for (let attempt = query.attempt ?? Math.max(1, query.job.attempt); ; attempt += 1) {
    if (!(await begins(source, wakeups, id, attempt, query.signal))) return;
    yield* source.logs.read(id, attempt, { follow: true, signal: query.signal });
    if (query.attempt !== null || query.signal.aborted) return;
  }
}

/** True once the job has that attempt; false when it never will. */
async function begins(
  { state }: LogSource,
  wakeups: Wakeups,
  id: string,
  attempt: number,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    const { version } = wakeups;
    const job = await state.job(id);
    if (job === null) return false;
    if (job.attempt >= attempt) return true;
    if (isTerminal(job.state)) return false;
    await wakeups.after(version, LOOK_AGAIN_MS, signal);
  }
  return false;
}

async function* plain(chunks: AsyncIterable<LogChunk>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield chunk.bytes;
}

async function* withTimes(chunks: AsyncIterable<LogChunk>): AsyncGenerator<Uint8Array> {
  let atLineStart = true;
  for await (const { at, bytes } of chunks) {
    const prefix = Buffer.from(`${rfc3339(at)} `);
    const parts: Uint8Array[] = [];
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(LINE_END, start);
      const end = newline < 0 ? bytes.length : newline + 1;
      if (atLineStart) parts.push(prefix);
      parts.push(bytes.subarray(start, end));
      atLineStart = newline >= 0;
      start = end;
    }
    yield Buffer.concat(parts);
  }
}
