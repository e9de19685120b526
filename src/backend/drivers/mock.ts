import { setTimeout as sleep } from "node:timers/promises";
import { isSluiceError } from "../../core/errors.ts";
import { type AttemptResult, type Lease, NO_USAGE } from "../../core/job.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LeasedJob, StagedOutput, State } from "../../state/state.ts";
import type { Backend, WorkerView } from "../backend.ts";

/** What the mock does with one attempt. */
export interface MockBehaviour {
  /** How long the "script" runs. Default 0. */
  readonly runMs?: number;
  /** Default ok. `exit` comes with `exitCode`, 7 by default. */
  readonly outcome?: AttemptResult["outcome"];
  readonly exitCode?: number;
  /** Published when the outcome is ok. */
  readonly outputs?: readonly StagedOutput[];
  /** True: does not die when it is stopped before its time, as a worker behind a cut network. */
  readonly ignoresStop?: boolean;
  /** True: ends without a word, as a worker that lost its power. */
  readonly vanishes?: boolean;
}

export interface MockBackendOptions {
  readonly name: string;
  readonly worker: Omit<WorkerView, "name">;
  readonly state: Pick<State, "startAttempt" | "finishAttempt">;
  readonly behave: (leased: LeasedJob) => MockBehaviour;
  readonly clock: Clock;
  /** Told about finishes that were refused, with the error. */
  readonly onRefused?: (lease: Lease, error: unknown) => void;
  readonly leaseTtlMs?: number;
}

/** A backend without sandboxes that can be told to be slow, to fail, to exit with 7, to finish late, to vanish. */
export function mockBackend(options: MockBackendOptions): Backend {
  const { state, clock } = options;
  const running = new Map<string, { lease: Lease; abort: AbortController; done: Promise<void> }>();

  async function attempt(leased: LeasedJob, signal: AbortSignal): Promise<void> {
    const behaviour = options.behave(leased);
    await state.startAttempt(leased.lease, clock.now());
    const stopped = await sleep(behaviour.runMs ?? 0, false, behaviour.ignoresStop ? {} : { signal }).catch(() => true);
    if (behaviour.vanishes) return;
    const outcome = stopped ? (signal.reason as "cancelled" | "stopped") : (behaviour.outcome ?? "ok");
    const exitCode = outcome === "ok" ? 0 : outcome === "exit" ? (behaviour.exitCode ?? 7) : null;
    const result = { outcome, message: `mock: ${outcome}`, exitCode, signal: null, usage: NO_USAGE };
    await state.finishAttempt(
      leased.lease,
      result,
      outcome === "ok" ? (behaviour.outputs ?? []) : [],
      null,
      clock.now(),
    );
  }

  return {
    name: options.name,
    ...(options.leaseTtlMs === undefined ? {} : { leaseTtlMs: options.leaseTtlMs }),
    workers: async () => [{ name: options.name, ...options.worker }],
    start(leased, ended) {
      const key = `${leased.lease.jobId}.${leased.lease.attempt}`;
      const abort = new AbortController();
      const done = attempt(leased, abort.signal)
        .catch((error: unknown) => {
          if (!isSluiceError(error)) throw error;
          options.onRefused?.(leased.lease, error);
        })
        .finally(() => {
          running.delete(key);
          ended();
        });
      running.set(key, { lease: leased.lease, abort, done });
    },
    async stop(lease, reason) {
      const found = running.get(`${lease.jobId}.${lease.attempt}`);
      found?.abort.abort(reason);
      await found?.done;
    },
    running: () => [...running.values()].map((each) => each.lease),
    async close() {
      for (const each of running.values()) each.abort.abort("stopped");
      await Promise.all([...running.values()].map((each) => each.done));
    },
  };
}
