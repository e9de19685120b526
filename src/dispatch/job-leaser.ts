import { SluiceError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Placement } from "../scheduler/scheduler.ts";
import type { LeasedJob, State } from "../state/state.ts";
import type { AttemptRunner } from "./attempt-runner.ts";
import type { CapacityLedger, Reservation } from "./capacity-ledger.ts";
import type { QueueBook } from "./queue-book.ts";

export interface JobLeaserOptions {
  readonly state: Pick<State, "leaseJobs">;
  readonly ledger: CapacityLedger;
  readonly book: QueueBook;
  readonly runner: Pick<AttemptRunner, "launch" | "release">;
  readonly clock: Clock;
  /** How long a job is left alone after its lease was refused, and after a lease of it alone failed. */
  readonly refusedMs: number;
  readonly poisonMs: number;
  succeeded(): void;
  failed(error: unknown): void;
}

const JOBS_PER_LEASE = 100;

/** Makes a plan true: reserves its placements at once, and has their leases written. What the state leaves out (cancelled meanwhile, or taken) and
 *  what it fails to write is given back. After a lease of many failed, as many are leased one by one: so that one row that cannot be leased does not
 *  hold up the others. Such a row is left alone for `poisonMs`, unless the failure is the machine's (a full disk). */
export class JobLeaser {
  readonly #options: JobLeaserOptions;
  #oneByOne = 0;

  constructor(options: JobLeaserOptions) {
    this.#options = options;
  }

  /** Reserves without awaiting; resolves when all leases are written and started, or given back. Never rejects. */
  async lease(placements: readonly Placement[]): Promise<void> {
    const { ledger, book } = this.#options;
    book.take(placements.map(({ head }) => head));
    const reservations = placements.map(({ head, worker }) => ledger.reserve(head, worker));
    const size = this.#oneByOne > 0 ? 1 : JOBS_PER_LEASE;
    const batches: Promise<void>[] = [];
    for (let from = 0; from < reservations.length; from += size) {
      batches.push(this.#leaseBatch(reservations.slice(from, from + size)));
    }
    await Promise.all(batches);
  }

  async #leaseBatch(reservations: readonly Reservation[]): Promise<void> {
    const { state, clock } = this.#options;
    const requests = reservations.map(({ jobId, worker, resources }) => ({
      jobId,
      worker,
      grants: { resources, devices: [] },
    }));
    let leased: readonly LeasedJob[];
    try {
      leased = await state.leaseJobs(requests, clock.now());
    } catch (error) {
      this.#leaseFailed(reservations, error);
      return;
    }
    this.#oneByOne = Math.max(0, this.#oneByOne - reservations.length);
    this.#options.succeeded();
    this.#start(reservations, leased);
  }

  #leaseFailed(reservations: readonly Reservation[], error: unknown): void {
    const poison = reservations.length === 1 && !isOfMachine(error);
    for (const reservation of reservations) this.#giveBack(reservation, poison ? this.#options.poisonMs : 0);
    this.#oneByOne = Math.max(this.#oneByOne, reservations.length);
    this.#options.failed(error);
  }

  #start(reservations: readonly Reservation[], leased: readonly LeasedJob[]): void {
    const { runner, refusedMs } = this.#options;
    const leasedJobs = new Map(leased.map((each) => [each.lease.jobId, each]));
    for (const reservation of reservations) {
      const each = leasedJobs.get(reservation.jobId);
      if (each) runner.launch(reservation, each);
      else this.#giveBack(reservation, refusedMs);
    }
  }

  #giveBack(reservation: Reservation, asideMs: number): void {
    const { book, clock, runner } = this.#options;
    if (asideMs > 0) book.setAside(reservation.jobId, clock.monotonicMs() + asideMs);
    book.changed(reservation.service);
    runner.release(reservation);
  }
}

/** True when trying another job would fail as well. */
const isOfMachine = (error: unknown): boolean =>
  error instanceof SluiceError && error.retryable && error.code !== "INTERNAL";
