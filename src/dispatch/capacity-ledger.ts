import { SluiceError } from "../core/errors.ts";
import type { Lease } from "../core/job.ts";
import { addResources, type Resources, subtractResources } from "../core/resources.ts";
import type { FreeWorker } from "../scheduler/scheduler.ts";
import type { JobHead } from "../state/state.ts";
import type { DispatchView } from "./dispatch.ts";

/** A worker as its backend described it last. */
export interface LedgerWorker {
  readonly name: string;
  readonly backend: string;
  readonly capacity: Resources;
  readonly slots: number | null;
}

/** One attempt's share of a worker. */
export interface Reservation {
  readonly jobId: string;
  readonly service: string;
  readonly worker: string;
  readonly backend: string;
  readonly resources: Resources;
  /** Null while the lease is being written. Only the ledger sets it. */
  lease: Lease | null;
}

interface Account {
  worker: LedgerWorker;
  reserved: Resources;
  attempts: number;
  /** Its backend no longer names it. */
  gone: boolean;
}

/** The one account of who uses what. Its owner is the dispatcher, on the main thread: nobody else writes to it, and it does so without awaiting
 *  between a plan and its reservations, so no plan is made on capacity that is already given away.
 *  ```
 *  reserve ──lease written──▶ assign ──every process gone──▶ free
 *     └───────lease refused───────────────────────────────▶ free
 *  ```
 *  A job may hold two reservations for a moment: its next attempt can be leased while the processes of the last one are still dying. */
export class CapacityLedger {
  readonly #accounts = new Map<string, Account>();
  readonly #services = new Map<string, number>();
  readonly #open = new Set<Reservation>();
  readonly #leasing = new Map<string, Reservation>();
  readonly #leased = new Map<string, Reservation>();
  #whenIdle: (() => void)[] = [];

  /** Replaces the list of workers. One that is gone takes nothing more and is forgotten once its last attempt is. */
  setWorkers(workers: readonly LedgerWorker[]): void {
    const names = new Set(workers.map((worker) => worker.name));
    for (const account of this.#accounts.values()) {
      account.gone = !names.has(account.worker.name);
      if (account.gone) account.worker = { ...account.worker, capacity: {}, slots: 0 };
    }
    for (const worker of workers) {
      const account = this.#accounts.get(worker.name);
      if (account) account.worker = worker;
      else this.#accounts.set(worker.name, { worker, reserved: {}, attempts: 0, gone: false });
    }
    this.#forgetGone();
  }

  reserve(head: JobHead, worker: string): Reservation {
    const account = this.#accounts.get(worker);
    if (!account) throw new SluiceError("INTERNAL", `Cannot reserve on "${worker}": no such worker`);
    const { jobId, service, need: resources } = head;
    const reservation = { jobId, service, worker, backend: account.worker.backend, resources, lease: null };
    account.reserved = addResources(account.reserved, resources);
    account.attempts += 1;
    this.#open.add(reservation);
    this.#leasing.set(head.jobId, reservation);
    this.#count(head.service, 1);
    return reservation;
  }

  /** Notes the lease that was written for a reservation. */
  assign(reservation: Reservation, lease: Lease): void {
    reservation.lease = lease;
    this.#leasing.delete(reservation.jobId);
    this.#leased.set(leaseKey(lease), reservation);
  }

  /** Gives the share back; false when that was done before, and then nothing changes. */
  free(reservation: Reservation): boolean {
    if (!this.#open.delete(reservation)) return false;
    if (this.#leasing.get(reservation.jobId) === reservation) this.#leasing.delete(reservation.jobId);
    if (reservation.lease) this.#leased.delete(leaseKey(reservation.lease));
    const account = this.#accounts.get(reservation.worker);
    if (account) {
      account.reserved = subtractResources(account.reserved, reservation.resources);
      account.attempts -= 1;
    }
    this.#count(reservation.service, -1);
    this.#forgetGone();
    if (this.#open.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    return true;
  }

  /** Attempts of the service that hold capacity. */
  active(service: string): number {
    return this.#services.get(service) ?? 0;
  }

  /** The reservation of a job whose lease is being written. */
  leasing(jobId: string): Reservation | undefined {
    return this.#leasing.get(jobId);
  }

  leased(lease: Lease): Reservation | undefined {
    return this.#leased.get(leaseKey(lease));
  }

  open(): readonly Reservation[] {
    return [...this.#open];
  }

  /** What the scheduler sees, in the order the workers were first named. */
  freeWorkers(): FreeWorker[] {
    return [...this.#accounts.values()].map(({ worker, reserved, attempts }) => ({
      name: worker.name,
      capacity: worker.capacity,
      free: subtractResources(worker.capacity, reserved),
      slots: worker.slots,
      freeSlots: worker.slots === null ? null : Math.max(0, worker.slots - attempts),
    }));
  }

  /** True when there are workers and none of them has a slot: nothing can start, whatever it needs. */
  full(): boolean {
    const accounts = [...this.#accounts.values()];
    return (
      accounts.length > 0 && accounts.every(({ worker, attempts }) => worker.slots !== null && attempts >= worker.slots)
    );
  }

  view(): DispatchView["workers"] {
    return [...this.#accounts.values()].map(({ worker, reserved, attempts }) => ({ ...worker, reserved, attempts }));
  }

  /** Resolves when nothing is reserved. */
  whenIdle(): Promise<void> {
    return this.#open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #count(service: string, by: number): void {
    const count = this.active(service) + by;
    if (count > 0) this.#services.set(service, count);
    else this.#services.delete(service);
  }

  #forgetGone(): void {
    for (const [name, { gone, attempts }] of this.#accounts) {
      if (gone && attempts === 0) this.#accounts.delete(name);
    }
  }
}

const leaseKey = (lease: Lease): string => `${lease.jobId}#${lease.attempt}`;
