import { isSluiceError } from "../../core/errors.ts";
import type { Lease } from "../../core/job.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { LogStore } from "../../logs/logs.ts";
import type { BlobStore } from "../../objectstore/blobs.ts";
import type { LeasedJob, State } from "../../state/state.ts";
import type { AbortReason, AttemptHost, AttemptOrder } from "../../supervisor/attempt-host.ts";
import type { Backend, WorkerView } from "../backend.ts";
import { localAttemptHost } from "./local/attempt-host.ts";

export interface LocalBackendOptions {
  readonly name: string;
  /** What this machine gives to attempts, and how many run at once. */
  readonly worker: Omit<WorkerView, "name">;
  readonly state: Pick<State, "startAttempt" | "stageOutputs" | "finishAttempt">;
  readonly blobs: Pick<BlobStore, "materialise" | "adopt" | "discard">;
  readonly logs: Pick<LogStore, "writer">;
  /** The supervisor: runs one attempt to its end, which includes `host.finish`. */
  readonly supervise: (order: AttemptOrder, host: AttemptHost) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Running {
  readonly lease: Lease;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** Runs attempts in this process. A lease lives as long as the process: there is nothing to renew and nobody who could take over while it lives. */
export function localBackend(options: LocalBackendOptions): Backend {
  const { log } = options;
  const running = new Map<string, Running>();
  const closing = new AbortController();

  async function attempt(leased: LeasedJob, signal: AbortSignal, ending: () => void): Promise<void> {
    const host = localAttemptHost(leased, { ...options, signal, closing: closing.signal, ending });
    try {
      await options.supervise(orderOf(leased), host);
    } catch (error) {
      // The supervisor ends every attempt itself; what it throws is a defect, or a finish given up while closing.
      const level = closing.signal.aborted && isSluiceError(error) ? "info" : "error";
      log[level]("the supervisor failed", { job: leased.lease.jobId, attempt: leased.lease.attempt, error });
      await host.abandon(error);
    }
  }

  return {
    name: options.name,
    workers: async () => [{ name: options.name, ...options.worker }],
    start(leased, ended) {
      const abort = new AbortController();
      let isFree = false;
      const free = (): void => {
        if (!isFree) ended();
        isFree = true;
      };
      const done = attempt(leased, abort.signal, free)
        .catch((error: unknown) => log.error("an attempt could not be ended", { job: leased.lease.jobId, error }))
        .then(() => {
          running.delete(keyOf(leased.lease));
          free();
        });
      running.set(keyOf(leased.lease), { lease: leased.lease, abort, done });
    },
    async stop(lease, reason) {
      const found = running.get(keyOf(lease));
      found?.abort.abort(reason satisfies AbortReason);
      await found?.done;
    },
    running: () => [...running.values()].map((each) => each.lease),
    async close() {
      closing.abort();
      for (const each of running.values()) each.abort.abort("stopped" satisfies AbortReason);
      await Promise.all([...running.values()].map((each) => each.done));
    },
  };
}

const keyOf = ({ jobId, attempt }: Lease): string => `${jobId}.${attempt}`;

function orderOf({ lease, job, revision, event, input, token }: LeasedJob): AttemptOrder {
  return { lease, job, revision, event, token, input: input && { name: input.name, sizeBytes: input.sizeBytes } };
}
