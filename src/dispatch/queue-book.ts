import type { QueueView, Waiting } from "../scheduler/scheduler.ts";
import type { JobHead, ServiceQueue } from "../state/state.ts";

/** Most heads of one service in the view. */
const MAX_HEADS = 64;
/** Most heads of all services together, but for a few of each. */
const MAX_HEADS_IN_ALL = 4096;
const MIN_HEADS = 4;
/** With this many heads left, a changed queue is read again only every `freshMs`. */
const ENOUGH_HEADS = 16;

interface KnownQueue {
  heads: JobHead[];
  concurrency: number | null;
  queued: number;
  /** True when `heads` are all jobs that could start, as of the last read. */
  complete: boolean;
  nextAt: number | null;
  /** Something changed since the last read. */
  dirty: boolean;
  /** Monotonic ms of the last read; null before the first. */
  readAt: number | null;
  overtaken: QueueView["overtaken"];
}

/** An answer of `State.queues`, with what was asked. `asOf` is UTC ms. */
export interface QueueRead {
  readonly services: readonly string[];
  readonly queues: readonly ServiceQueue[];
  readonly perService: number;
  readonly asOf: number;
}

/** What the dispatcher knows of the queues: a bounded copy of their heads, kept until something changes.
 *  A changed queue is read again before its next job starts, but while many of its heads are known at most every `freshMs`: so a burst of uploads
 *  or finishes costs few reads, and a job of higher priority waits that long at most before it counts.
 *  A head that is stale does no harm: the lease is refused. */
export class QueueBook {
  readonly #queues = new Map<string, KnownQueue>();
  /** Jobs not to be tried before a time (monotonic ms), because their lease was refused or failed. */
  readonly #aside = new Map<string, number>();
  readonly #freshMs: number;

  constructor(freshMs: number) {
    this.#freshMs = freshMs;
  }

  /** How many heads of each service to read. */
  get perService(): number {
    return Math.max(MIN_HEADS, Math.min(MAX_HEADS, Math.floor(MAX_HEADS_IN_ALL / Math.max(1, this.#queues.size))));
  }

  changed(service: string): void {
    const known = this.#queues.get(service);
    if (known) known.dirty = true;
    else this.#queues.set(service, unread());
  }

  /** The services to read before the next plan. */
  stale(now: number): string[] {
    return [...this.#queues].filter(([, known]) => this.#readAfter(known) <= now).map(([service]) => service);
  }

  /** To be called as a read of these services begins: what changes from here on counts for the next one. */
  reading(services: readonly string[], now: number): void {
    for (const service of services) {
      const known = this.#queues.get(service);
      if (known) Object.assign(known, { dirty: false, readAt: now });
    }
  }

  /** Takes over what a read brought, but for the jobs whose lease is being written. */
  read(read: QueueRead, leasing: (jobId: string) => boolean): void {
    const found = new Map(read.queues.map((queue) => [queue.service, queue]));
    for (const service of read.services) {
      const known = this.#queues.get(service);
      if (!known) continue;
      takeOver(known, found.get(service), read);
      known.heads = known.heads.filter((head) => !leasing(head.jobId));
      if (known.queued === 0 && known.nextAt === null && !known.dirty) this.#queues.delete(service);
    }
  }

  /** Removes jobs that are being leased. */
  take(heads: readonly JobHead[]): void {
    const taken = new Set(heads.map((head) => head.jobId));
    for (const service of new Set(heads.map((head) => head.service))) {
      const known = this.#queues.get(service);
      if (known) known.heads = known.heads.filter((head) => !taken.has(head.jobId));
    }
  }

  setAside(jobId: string, until: number): void {
    this.#aside.set(jobId, until);
  }

  /** The scheduler's view. `active` counts a service's attempts that hold capacity. */
  views(active: (service: string) => number, now: number): QueueView[] {
    for (const [jobId, until] of this.#aside) if (until <= now) this.#aside.delete(jobId);
    const views: QueueView[] = [];
    for (const [service, { heads, concurrency, overtaken }] of this.#queues) {
      const ready = this.#aside.size === 0 ? heads : heads.filter((head) => !this.#aside.has(head.jobId));
      if (ready.length > 0) views.push({ service, heads: ready, concurrency, active: active(service), overtaken });
    }
    return views;
  }

  /** Adds up how often the waiting jobs were overtaken. */
  waited(waiting: readonly Waiting[]): void {
    for (const { service, jobId, because, overtaken } of waiting) {
      const known = this.#queues.get(service);
      if (!known || because === "too_large") continue;
      const before = known.overtaken?.jobId === jobId ? known.overtaken.times : 0;
      known.overtaken = { jobId, times: before + overtaken };
    }
  }

  /** When to look again although nothing happens: `utc` for the end of a backoff, `monotonic` for a postponed read or a job set aside. */
  nextLook(): { readonly utc: number; readonly monotonic: number } {
    let utc = Number.POSITIVE_INFINITY;
    let monotonic = Number.POSITIVE_INFINITY;
    for (const until of this.#aside.values()) monotonic = Math.min(monotonic, until);
    for (const known of this.#queues.values()) {
      utc = Math.min(utc, known.nextAt ?? utc);
      monotonic = Math.min(monotonic, this.#readAfter(known));
    }
    return { utc, monotonic };
  }

  /** Marks the services whose next job has left its backoff. */
  due(now: number): void {
    for (const known of this.#queues.values()) {
      if (known.nextAt === null || known.nextAt > now) continue;
      known.nextAt = null;
      known.dirty = true;
      known.readAt = null;
    }
  }

  /** What is known of the place of one job: `unknown` before the queue was read, or when it has changed since. */
  place(service: string, jobId: string): "head" | "blocked" | "behind" | "unknown" {
    const known = this.#queues.get(service);
    if (known?.heads.some((head) => head.jobId === jobId)) return "head";
    if (!known || known.readAt === null) return "unknown";
    if (!known.complete) return "behind";
    return known.dirty ? "unknown" : "blocked";
  }

  queued(service: string): number {
    return this.#queues.get(service)?.queued ?? 0;
  }

  /** True when the queue was read and holds no head that could start, and no change was announced since. */
  believesEmpty(service: string): boolean {
    const known = this.#queues.get(service);
    return known === undefined || (!known.dirty && known.heads.length === 0 && known.complete);
  }

  /** Monotonic ms after which the queue is to be read; infinite while there is no reason to. */
  #readAfter({ dirty, readAt, heads, complete }: KnownQueue): number {
    if (readAt === null) return 0;
    const few = heads.length < Math.min(ENOUGH_HEADS, this.perService);
    if (!dirty && (complete || !few)) return Number.POSITIVE_INFINITY;
    return few ? 0 : readAt + this.#freshMs;
  }
}

function takeOver(known: KnownQueue, queue: ServiceQueue | undefined, { asOf, perService }: QueueRead): void {
  const nextAt = queue?.nextAt ?? null;
  known.heads = [...(queue?.heads ?? [])];
  known.queued = queue?.queued ?? 0;
  known.concurrency = queue?.concurrency ?? null;
  known.complete = known.heads.length < perService;
  known.nextAt = nextAt !== null && nextAt > asOf ? nextAt : null;
}

const unread = (): KnownQueue => ({
  heads: [],
  concurrency: null,
  queued: 0,
  complete: false,
  nextAt: null,
  dirty: true,
  readAt: null,
  overtaken: null,
});
