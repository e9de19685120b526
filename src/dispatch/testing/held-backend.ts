import type { Backend, WorkerView } from "../../backend/backend.ts";
import { type AttemptResult, type Lease, NO_USAGE } from "../../core/job.ts";
import type { LeasedJob, State } from "../../state/state.ts";

interface Held {
  readonly leased: LeasedJob;
  readonly ended: () => void;
  readonly gone: PromiseWithResolvers<void>;
}

/** A backend whose attempts run until the test ends them. */
export class HeldBackend implements Backend {
  readonly name: string;
  declare readonly leaseTtlMs?: number;
  readonly started: string[] = [];
  readonly stopped: { readonly lease: Lease; readonly reason: string }[] = [];
  readonly live = new Map<string, Held>();
  views: readonly WorkerView[];
  /** Attempts that are stopped stay alive. */
  stubborn = false;
  /** Thrown by `start`. */
  refusal: Error | null = null;
  readonly #state: Pick<State, "finishAttempt">;

  constructor(state: Pick<State, "finishAttempt">, views: readonly WorkerView[], name = "held", leaseTtlMs?: number) {
    this.#state = state;
    this.views = views;
    this.name = name;
    if (leaseTtlMs !== undefined) this.leaseTtlMs = leaseTtlMs;
  }

  async workers(): Promise<readonly WorkerView[]> {
    return this.views;
  }

  start(leased: LeasedJob, ended: () => void): void {
    if (this.refusal) throw this.refusal;
    this.started.push(leased.lease.jobId);
    this.live.set(leased.lease.jobId, { leased, ended, gone: Promise.withResolvers() });
  }

  /** Ends an attempt as its supervisor would: first the transaction, then the capacity. */
  async end(jobId: string, outcome: AttemptResult["outcome"] = "ok"): Promise<() => void> {
    const held = this.live.get(jobId);
    if (!held) throw new Error(`"${jobId}" does not run`);
    const result = { outcome, message: "", exitCode: 0, signal: null, usage: NO_USAGE };
    await this.#state.finishAttempt(held.leased.lease, result, [], null, Date.now());
    this.live.delete(jobId);
    held.ended();
    held.gone.resolve();
    return held.ended;
  }

  async stop(lease: Lease, reason: "cancelled" | "stopped"): Promise<void> {
    this.stopped.push({ lease, reason });
    if (!this.live.has(lease.jobId)) return;
    if (this.stubborn) return this.live.get(lease.jobId)?.gone.promise;
    await this.end(lease.jobId, reason);
  }

  running(): readonly Lease[] {
    return [...this.live.values()].map(({ leased }) => leased.lease);
  }

  async close(): Promise<void> {}
}
