import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ServiceQueue, State } from "../state/state.ts";
import type { CapacityLedger } from "./capacity-ledger.ts";
import type { QueueBook } from "./queue-book.ts";

export interface SafetyPollOptions {
  readonly state: Pick<State, "queues">;
  readonly book: QueueBook;
  readonly ledger: CapacityLedger;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs: number;
  /** Asks the backends again what workers they have. */
  refreshWorkers(): Promise<void>;
  wake(): void;
}

/** A job younger than this may be on its way here with its own wake-up. */
const NEW_JOB_MS = 1000;

/** Slowly looks for what should not exist: jobs that could start and that no wake-up announced, and attempts that are open in the state and
 *  hold no capacity here. Finds are logged, because each is a defect; forgotten jobs are started. Also keeps the list of workers fresh. */
export class SafetyPoll {
  readonly #options: SafetyPollOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Services that had more open attempts than reservations at the last poll: only a second finding counts, the first may be an end under way. */
  #suspects: ReadonlySet<string> = new Set();

  constructor(options: SafetyPollOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#poll(), this.#options.everyMs).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    const { state, clock, log, refreshWorkers } = this.#options;
    try {
      await refreshWorkers();
      const now = clock.now();
      const queues = await state.queues(null, 1, now);
      this.#findForgotten(queues, now);
      this.#findOrphans(queues);
    } catch (error) {
      log.warn("the safety poll of the queues failed", { error });
    }
    this.start();
  }

  #findForgotten(queues: readonly ServiceQueue[], now: number): void {
    const { book, log, wake } = this.#options;
    const unseen = queues.filter(({ service, heads }) => heads.length > 0 && book.believesEmpty(service));
    const old = unseen.filter(({ heads }) => now - (heads[0]?.createdAt ?? now) > NEW_JOB_MS);
    if (old.length > 0)
      log.warn("found jobs that no wake-up announced", { services: old.map(({ service }) => service) });
    for (const { service } of unseen) book.changed(service);
    wake();
  }

  #findOrphans(queues: readonly ServiceQueue[]): void {
    const { ledger, log } = this.#options;
    const more = queues.filter(({ service, active }) => active > ledger.active(service)).map(({ service }) => service);
    const orphans = more.filter((service) => this.#suspects.has(service));
    if (orphans.length > 0) log.warn("attempts are open that run nowhere here", { services: orphans });
    this.#suspects = new Set(more);
  }
}
