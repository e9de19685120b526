import { vi } from "vitest";
import type { WorkerView } from "../../backend/backend.ts";
import { systemClock } from "../../lib/clock.ts";
import { createLog } from "../../lib/log.ts";
import { openPolicy } from "../../scheduler/open.ts";
import type { Dispatcher } from "../dispatch.ts";
import { createDispatcher, type DispatcherOptions } from "../dispatcher.ts";
import { HeldBackend } from "./held-backend.ts";
import { QueueState } from "./queue-state.ts";

export interface DispatchBench {
  readonly state: QueueState;
  readonly backend: HeldBackend;
  readonly dispatcher: Dispatcher;
  /** Lines of the log, from `info` up. */
  readonly lines: string[];
  /** Attempts and reserved milli-cores of each worker. */
  reserved(): [number, number][];
}

/** A dispatcher on a state and one worker in memory: 4 slots and 64 cores, unless `worker` says else. Use it with fake timers. */
export function dispatchBench(
  over: Partial<DispatcherOptions> = {},
  worker: Partial<WorkerView> = {},
  state = new QueueState(),
): DispatchBench {
  const lines: string[] = [];
  const backend = new HeldBackend(state, [{ name: "w", capacity: { cpu: 64_000 }, slots: 4, ...worker }]);
  const dispatcher = createDispatcher({
    state,
    policy: openPolicy("fifo"),
    backends: [backend],
    clock: systemClock,
    log: createLog("info", (line) => void lines.push(line)),
    ...over,
  });
  const reserved = (): [number, number][] =>
    dispatcher.view().workers.map((each) => [each.attempts, each.reserved.cpu ?? 0]);
  return { state, backend, dispatcher, lines, reserved };
}

/** Lets fake time pass, with everything that is due in it. */
export const pass = (ms = 1): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
