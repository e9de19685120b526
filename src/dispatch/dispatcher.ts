import type { Backend } from "../backend/backend.ts";
import type { Lease } from "../core/job.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { SchedulingPolicy, Waiting } from "../scheduler/scheduler.ts";
import type { State } from "../state/state.ts";
import { AttemptRunner } from "./attempt-runner.ts";
import { backendWorkers } from "./backend-workers.ts";
import { CapacityLedger } from "./capacity-ledger.ts";
import type { Dispatcher, DispatchView, LeaseWatch, WaitReason } from "./dispatch.ts";
import { JobLeaser } from "./job-leaser.ts";
import { LookLoop, type NextLook } from "./look-loop.ts";
import { QueueBook } from "./queue-book.ts";
import { SafetyPoll } from "./safety-poll.ts";
import { waitReason } from "./wait-reason.ts";

export interface DispatcherOptions {
  readonly state: Pick<State, "queues" | "leaseJobs" | "finishAttempt" | "recoverAttempts" | "subscribe">;
  readonly policy: SchedulingPolicy;
  readonly backends: readonly Backend[];
  readonly clock: Clock;
  readonly log: Log;
  /** Needed when a backend has a `leaseTtlMs`. */
  readonly watch?: LeaseWatch;
  readonly timing?: Partial<DispatchTiming>;
}

interface DispatchTiming {
  /** Between two looks for forgotten work. */
  readonly pollMs: number;
  /** A queue whose heads are known is read again at most this often. */
  readonly freshMs: number;
  /** How long `drain` waits for attempts that it stopped. */
  readonly stopGraceMs: number;
  /** How long a job waits after its lease was refused, and after a lease of it alone failed. */
  readonly refusedMs: number;
  readonly poisonMs: number;
}

const TIMING: DispatchTiming = { pollMs: 30_000, freshMs: 100, stopGraceMs: 15_000, refusedMs: 1000, poisonMs: 30_000 };
const SERVICES_PER_READ = 256;
const NEVER: NextLook = { utc: Number.POSITIVE_INFINITY, monotonic: Number.POSITIVE_INFINITY };

/** Starts nothing before `start`. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new QueueDispatcher(options);
}

/** One look: read the queues that changed, ask the policy for a plan, reserve its placements, and ask the state for their leases. Looks do not
 *  overlap and do not wait for leases: while some are being written the next look plans with what is left, so attempts end and start independently.
 *  ```
 *  wake ─▶ look ─▶ read changed queues ─▶ plan ─▶ reserve ─▶ leaseJobs ┬─ leased ──▶ backend.start ─▶ ended ─▶ free ─▶ wake
 *                                                                      ├─ refused ─▶ free ─▶ wake
 *                                                                      └─ failed ──▶ free ─▶ pause ─▶ wake
 *  ```
 *  Nothing is read while every slot is taken: the end of an attempt looks again. */
class QueueDispatcher implements Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #timing: DispatchTiming;
  readonly #ledger = new CapacityLedger();
  readonly #book: QueueBook;
  readonly #loop: LookLoop;
  readonly #runner: AttemptRunner;
  readonly #leaser: JobLeaser;
  readonly #poll: SafetyPoll;
  #waiting: readonly Waiting[] = [];
  /** Ask for all queues at the next look. */
  #all = false;
  #unsubscribe = (): void => {};
  #started = false;
  #draining = false;
  #drained: Promise<void> | null = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    const { clock, log, state } = options;
    const [ledger, timing] = [this.#ledger, this.#timing];
    const book = new QueueBook(timing.freshMs);
    const loop = new LookLoop({ look: () => this.#look(), nextLook: () => this.#nextLook(), clock, log });
    const wake = (): void => loop.wake();
    const runner = new AttemptRunner({ ...options, watch: options.watch ?? null, ledger, freed: wake });
    const succeeded = (): void => loop.succeeded();
    const failed = (error: unknown): void => loop.failed(error);
    this.#leaser = new JobLeaser({ ...timing, state, ledger, book, runner, clock, succeeded, failed });
    const refreshWorkers = (): Promise<void> => this.#refreshWorkers();
    this.#poll = new SafetyPoll({ state, book, ledger, clock, log, everyMs: timing.pollMs, refreshWorkers, wake });
    [this.#book, this.#loop, this.#runner] = [book, loop, runner];
  }

  async start(): Promise<void> {
    const { state, clock, log } = this.#options;
    await this.#refreshWorkers();
    for (const { name } of this.#ledger.view()) {
      const requeued = await state.recoverAttempts(name, clock.now());
      if (requeued > 0) log.info("jobs of an earlier process are queued again", { worker: name, jobs: requeued });
    }
    if (this.#draining) return;
    this.#unsubscribe = state.subscribe(({ services }) => {
      if (services.length > 0) this.wake(services);
    });
    this.#poll.start();
    this.#started = true;
    this.wake([]);
  }

  wake(services: readonly string[]): void {
    if (!this.#started) return;
    if (services.length === 0) this.#all = true;
    for (const service of services) this.#book.changed(service);
    this.#loop.wake();
  }

  stopAttempt(lease: Lease): Promise<void> {
    return this.#runner.stop(lease, "cancelled");
  }

  view(): DispatchView {
    return { workers: this.#ledger.view(), waiting: this.#waiting, draining: this.#draining };
  }

  reason(service: string, jobId: string): WaitReason | null {
    if (this.#draining) return { because: "draining" };
    if (this.#ledger.leasing(jobId)) return null;
    return waitReason({ waiting: this.#waiting, book: this.#book, full: this.#ledger.full() }, service, jobId);
  }

  drain(timeoutMs: number): Promise<void> {
    this.#drained ??= this.#drain(timeoutMs);
    return this.#drained;
  }

  async #look(): Promise<void> {
    if (this.#ledger.full()) return;
    if (this.#all) await this.#discover();
    const { clock, policy } = this.#options;
    this.#book.due(clock.now());
    const stale = this.#book.stale(clock.monotonicMs()).slice(0, SERVICES_PER_READ);
    if (stale.length > 0) await this.#read(stale);
    if (this.#draining) return;
    const views = this.#book.views((service) => this.#ledger.active(service), clock.monotonicMs());
    const { placements, waiting } = policy.pick(views, this.#ledger.freeWorkers());
    this.#waiting = waiting;
    this.#book.waited(waiting);
    void this.#leaser.lease(placements);
  }

  /** Finds the services that have queued jobs; their queues are read afterwards, so that no answer holds every service's heads. */
  async #discover(): Promise<void> {
    const { state, clock } = this.#options;
    const queues = await state.queues(null, 1, clock.now());
    this.#all = false;
    for (const { service, queued } of queues) if (queued > 0) this.#book.changed(service);
  }

  async #read(services: readonly string[]): Promise<void> {
    const { state, clock } = this.#options;
    const [perService, asOf] = [this.#book.perService, clock.now()];
    this.#book.reading(services, clock.monotonicMs());
    try {
      const queues = await state.queues(services, perService, asOf);
      this.#book.read({ services, queues, perService, asOf }, (jobId) => this.#ledger.leasing(jobId) !== undefined);
    } catch (error) {
      for (const service of services) this.#book.changed(service);
      throw error;
    }
  }

  #nextLook(): NextLook {
    return this.#ledger.full() || this.#draining ? NEVER : this.#book.nextLook();
  }

  async #refreshWorkers(): Promise<void> {
    this.#ledger.setWorkers(await backendWorkers(this.#options.backends));
  }

  /** ```
   *  draining: no looks; what is being leased is handed back ─▶ wait ─▶ stop what still runs ─▶ wait a little ─▶ drained
   *  ``` */
  async #drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#unsubscribe();
    this.#loop.stop();
    this.#poll.stop();
    this.#runner.refuse();
    const { stopGraceMs } = this.#timing;
    if (!(await within(this.#ledger.whenIdle(), timeoutMs))) await this.#stopAll(stopGraceMs);
    await within(this.#runner.settled(), stopGraceMs);
    this.#runner.close();
  }

  async #stopAll(graceMs: number): Promise<void> {
    const { log } = this.#options;
    for (const { lease, jobId } of this.#ledger.open()) {
      if (!lease) continue;
      this.#runner.stop(lease, "stopped").catch((error: unknown) => {
        log.error("an attempt cannot be stopped", { jobId, attempt: lease.attempt, error });
      });
    }
    if (await within(this.#ledger.whenIdle(), graceMs)) return;
    const left = this.#ledger.open().map(({ jobId }) => jobId);
    log.error("attempts are still alive at the end of the drain; the next start queues their jobs again", {
      jobs: left,
    });
  }
}

/** True when the promise resolves in time. */
async function within(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeoutMs, false);
  const inTime = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
