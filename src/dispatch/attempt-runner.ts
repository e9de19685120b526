import type { Backend } from "../backend/backend.ts";
import { SluiceError } from "../core/errors.ts";
import type { Lease } from "../core/job.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { LeasedJob, State } from "../state/state.ts";
import type { CapacityLedger, Reservation } from "./capacity-ledger.ts";
import type { LeaseWatch } from "./dispatch.ts";
import { endAttempt, type ServerEnd } from "./end-attempt.ts";

export interface AttemptRunnerOptions {
  readonly ledger: CapacityLedger;
  readonly backends: readonly Backend[];
  readonly state: Pick<State, "finishAttempt">;
  readonly clock: Clock;
  readonly log: Log;
  readonly watch: LeaseWatch | null;
  /** Called when capacity became free. */
  freed(): void;
}

const STOPPED: ServerEnd = { outcome: "stopped", message: "Cannot start the attempt: the server is stopping" };
const CANCELLED: ServerEnd = { outcome: "cancelled", message: "The job was cancelled before its script started" };

const refusalOf = (backend: string, error: unknown): string =>
  `Cannot start the attempt on backend "${backend}": ${error instanceof Error ? error.message : String(error)}`;

/** Starts and stops attempts on their backends, and gives their capacity back.
 *  ```
 *  reserved ──launch──▶ started ──ended()──▶ free
 *     │         └─ cancelled or stopping meanwhile, or the backend refused: never started, its end is committed here ─▶ free
 *     └─ release (no lease was written) ─▶ free
 *  ```
 *  A cancel that comes while the lease is being written finds no attempt to stop: it is kept, and `launch` honours it. */
export class AttemptRunner {
  readonly #options: AttemptRunnerOptions;
  readonly #backends: ReadonlyMap<string, Backend>;
  /** Attempts to stop whose lease is not known here yet, by the reservation of their job. */
  readonly #early = new Map<Reservation, { readonly lease: Lease; readonly gone: PromiseWithResolvers<void> }>();
  readonly #ending = new Set<Promise<boolean>>();
  readonly #closed = new AbortController();
  #stopping = false;

  constructor(options: AttemptRunnerOptions) {
    this.#options = options;
    this.#backends = new Map(options.backends.map((backend) => [backend.name, backend]));
  }

  /** From here on, what is leased is handed back and not started. */
  refuse(): void {
    this.#stopping = true;
  }

  launch(reservation: Reservation, leased: LeasedJob): void {
    const { ledger } = this.#options;
    ledger.assign(reservation, leased.lease);
    const early = this.#early.get(reservation);
    this.#early.delete(reservation);
    if (early?.lease.attempt === leased.lease.attempt) this.#endUnstarted(reservation, leased.lease, CANCELLED);
    else if (this.#stopping) this.#endUnstarted(reservation, leased.lease, STOPPED);
    else this.#start(reservation, leased);
    early?.gone.resolve();
  }

  /** Gives back a reservation whose lease was not written. */
  release(reservation: Reservation): void {
    this.#early.get(reservation)?.gone.resolve();
    this.#early.delete(reservation);
    this.#free(reservation);
  }

  /** Resolves when the attempt is gone; at once when it is not here. @throws what the backend throws */
  async stop(lease: Lease, reason: "cancelled" | "stopped"): Promise<void> {
    const { ledger } = this.#options;
    const reservation = ledger.leased(lease);
    if (reservation) return this.#backends.get(reservation.backend)?.stop(lease, reason);
    const leasing = ledger.leasing(lease.jobId);
    if (!leasing) return;
    const early = this.#early.get(leasing) ?? { lease, gone: Promise.withResolvers<void>() };
    this.#early.set(leasing, early);
    return early.gone.promise;
  }

  /** Resolves when the ends of all attempts that never started are committed. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /** Gives up on ends that cannot be committed; the next start recovers them. */
  close(): void {
    this.#closed.abort();
  }

  #start(reservation: Reservation, leased: LeasedJob): void {
    const { log, watch } = this.#options;
    const { lease } = leased;
    const backend = this.#backends.get(reservation.backend);
    const ended = (): void => {
      watch?.close(lease);
      if (!this.#free(reservation)) log.error("an attempt ended twice", { jobId: lease.jobId, attempt: lease.attempt });
    };
    if (backend?.leaseTtlMs !== undefined) watch?.open(lease, backend.leaseTtlMs);
    try {
      if (!backend)
        throw new SluiceError("INTERNAL", `Cannot start an attempt: backend "${reservation.backend}" is not open`);
      backend.start(leased, ended);
    } catch (error) {
      log.error("a backend cannot start an attempt", { backend: reservation.backend, jobId: lease.jobId, error });
      watch?.close(lease);
      this.#endUnstarted(reservation, lease, {
        outcome: "infrastructure",
        message: refusalOf(reservation.backend, error),
      });
    }
  }

  #endUnstarted(reservation: Reservation, lease: Lease, end: ServerEnd): void {
    const ending = endAttempt(this.#options, lease, end, this.#closed.signal);
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
    this.#free(reservation);
  }

  #free(reservation: Reservation): boolean {
    const first = this.#options.ledger.free(reservation);
    if (first) this.#options.freed();
    return first;
  }
}
