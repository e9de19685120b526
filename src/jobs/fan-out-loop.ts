import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";

export interface FanOutOptions {
  readonly state: Pick<State, "continueFanOut" | "subscribe">;
  readonly log: Log;
  /** Outputs that become events in one transaction. Default 1,000. */
  readonly chunk?: number;
}

const CHUNK = 1000;
const AFTER_FAILURE_MS = 1000;

/** Turns the outputs of very large finishes into events, chunk by chunk, at start and whenever a job succeeded. The cursor lies in the
 *  state: a crash goes on where it was. */
export function startFanOut(options: FanOutOptions): { stop(): Promise<void> } {
  const stopped = new AbortController();
  let wanted = true;
  let running: Promise<void> | null = null;

  async function drain(): Promise<void> {
    while (wanted && !stopped.signal.aborted) {
      wanted = false;
      try {
        while (!stopped.signal.aborted && (await options.state.continueFanOut(options.chunk ?? CHUNK)));
      } catch (error) {
        options.log.warn("outputs could not become events, trying again", { error });
        wanted = true;
        await sleep(AFTER_FAILURE_MS, undefined, { signal: stopped.signal, ref: false }).catch(() => {});
      }
    }
    running = null;
  }

  const wake = (): void => {
    wanted = true;
    running ??= drain();
  };
  const unsubscribe = options.state.subscribe((notice) => {
    if (notice.kinds.includes("job.succeeded")) wake();
  });
  wake();
  return {
    async stop() {
      unsubscribe();
      stopped.abort();
      await running;
    },
  };
}
