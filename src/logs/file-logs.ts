import { mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";
import { readEnded, readLive, readShort } from "./log-reader.ts";
import { logFolder } from "./log-segments.ts";
import { LiveLog, type LogLimits } from "./log-writer.ts";
import type { LogChunk, LogStore } from "./logs.ts";

export interface FileLogsOptions extends Partial<LogLimits> {
  /** Short logs of ended attempts lie in their rows. */
  readonly state: Pick<State, "attemptLog" | "attempts">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Decision 10: head and tail of 64 MB. 8 KiB hold the log of most jobs and cost a row less than a file would. */
const DEFAULT_LIMITS: LogLimits = { maxBytes: 64 * 1024 * 1024, inlineBytes: 8 * 1024, flushMs: 200 };
/** How often a follower asks whether an attempt that has not begun is still to come. */
const BEGIN_POLL_MS = 500;

/** Logs as files under `root` (made when absent, 0700). A short job makes none: its log goes into the attempt's row. */
export function createFileLogs(root: string, options: FileLogsOptions): LogStore {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const { state, clock, log } = options;
  const limits: LogLimits = {
    maxBytes: options.maxBytes ?? DEFAULT_LIMITS.maxBytes,
    inlineBytes: options.inlineBytes ?? DEFAULT_LIMITS.inlineBytes,
    flushMs: options.flushMs ?? DEFAULT_LIMITS.flushMs,
  };
  const live = new Map<string, LiveLog>();
  const closing = new AbortController();
  const headFile = (jobId: string, attempt: number): string => join(logFolder(root, jobId), `${jobId}.${attempt}.log`);

  async function* read(
    jobId: string,
    attempt: number,
    { follow, signal }: { follow: boolean; signal?: AbortSignal },
  ): AsyncGenerator<LogChunk> {
    const until = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
    while (!until.aborted) {
      const running = live.get(`${jobId}.${attempt}`);
      if (running) return yield* readLive(running, follow, until);
      const isOpen = follow && (await isStillOpen(state, jobId, attempt));
      const short = await state.attemptLog(jobId, attempt);
      let found = false;
      for await (const chunk of short?.length ? readShort(short) : readEnded(headFile(jobId, attempt))) {
        found = true;
        yield chunk;
      }
      if (found || !isOpen) return;
      await pause(BEGIN_POLL_MS, until);
    }
  }

  return {
    read,
    writer(jobId, attempt) {
      const id = `${jobId}.${attempt}`;
      const writer = new LiveLog(headFile(jobId, attempt), limits, clock, log.child({ job: jobId, attempt }), () => {
        live.delete(id);
      });
      live.set(id, writer);
      return writer;
    },
    remove: (jobIds) => removeFiles(root, jobIds),
    async close() {
      await Promise.all([...live.values()].map((writer) => writer.persist()));
      closing.abort();
    },
  };
}

async function isStillOpen(state: Pick<State, "attempts">, jobId: string, attempt: number): Promise<boolean> {
  const row = (await state.attempts(jobId)).find(({ number }) => number === attempt);
  return row !== undefined && row.state !== "ENDED";
}

/** Attempts are found by name: nobody remembers how many a job had. */
async function removeFiles(root: string, jobIds: readonly string[]): Promise<void> {
  const byFolder = Map.groupBy(jobIds, (jobId) => logFolder(root, jobId));
  for (const [folder, ids] of byFolder) {
    const wanted = new Set(ids);
    const names = await namesIn(folder);
    const mine = names.filter((name) => wanted.has(name.replace(/\.\d+\.log(\.\d)?$/, "")));
    await Promise.all(mine.map((name) => rm(join(folder, name), { force: true })));
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
