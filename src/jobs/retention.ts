import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { LogStore } from "../logs/logs.ts";
import type { State } from "../state/state.ts";

export interface RetentionOptions {
  readonly state: Pick<State, "expireJobs" | "expireChanges">;
  readonly logs: Pick<LogStore, "remove">;
  /** Finished jobs and changes older than these go; null keeps them for ever. */
  readonly keepJobsMs: number | null;
  readonly keepChangesMs: number | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two rounds. Default 10 minutes. */
  readonly everyMs?: number;
}

/** Small, so that a round never holds up the writer for long; the pause lets others in between. */
const BATCH = 200;
const PAUSE_MS = 50;
const EVERY_MS = 10 * 60_000;

/** Removes what is older than it must be kept, in small batches, now and then. */
export function startRetention(options: RetentionOptions): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const { signal } = stopped;

  async function round(): Promise<void> {
    const now = options.clock.now();
    if (options.keepJobsMs !== null) await batches(() => expireJobs(options, now - (options.keepJobsMs ?? 0)));
    if (options.keepChangesMs !== null)
      await batches(() => options.state.expireChanges(now - (options.keepChangesMs ?? 0), BATCH));
  }

  async function batches(one: () => Promise<number>): Promise<void> {
    while (!signal.aborted && (await one()) >= BATCH) await pause(PAUSE_MS, signal);
  }

  async function loop(): Promise<void> {
    while (!signal.aborted) {
      await round().catch((error: unknown) =>
        options.log.warn("old jobs could not be removed, trying again later", { error }),
      );
      await pause(options.everyMs ?? EVERY_MS, signal);
    }
  }

  const ended = loop();
  return {
    async stop() {
      stopped.abort();
      await ended;
    },
  };
}

async function expireJobs({ state, logs }: RetentionOptions, before: number): Promise<number> {
  const jobIds = await state.expireJobs(before, BATCH);
  if (jobIds.length > 0) await logs.remove(jobIds);
  return jobIds.length;
}

/** Waits, or less when aborted; does not keep the process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
}
