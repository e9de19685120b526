import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";

export interface FanOutOptions {
  readonly state: Pick<State, "continueFanOut" | "subscribe">;
  readonly log: Log;
  /** Rows in one transaction. Default 1,000. */
  readonly chunk?: number;
}

const CHUNK = 1000;
const AFTER_FAILURE_MS = 1000;

/** Goes on with what large transactions left (outputs that are not events yet, jobs and objects of what was removed), chunk by chunk, at start and
 *  whenever the state says that there is more. The cursor lies in the state: a crash goes on where it was. */
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
        options.log.warn("work that a large transaction left cannot go on yet", { error });
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
    if (notice.moreToDo) wake();
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
