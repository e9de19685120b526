import type { Resources } from "../../core/resources.ts";
import { ClusterSpace, type Refusal } from "../cluster-space.ts";
import { type Cursor, OrderedQueues } from "../ordered-queues.ts";
import type { FreeWorker, Placement, Plan, QueueView, SchedulingPolicy, Waiting } from "../scheduler.ts";

/** How many attempts may be started ahead of a job that found no room before a worker is kept for it. */
export const MAX_OVERTAKES = 16;

/** First in, first out over all services, by priority and then age, with backfill:
 *  - Jobs are taken in the order of `compareHeads`; each goes to the first worker of the list that has room (resources and a slot).
 *  - A service at its concurrency is passed over; so is a job that finds no room, and later jobs that do fit go ahead of it. Jobs of one service
 *    with equal needs never overtake each other.
 *  - A job that was overtaken `maxOvertakes` times gets a reservation: the worker that lacks least for it takes nobody else until it fits.
 *    Run times are unknown, so this counts starts, not minutes.
 *  - A job larger than every worker's whole capacity waits without holding anything up; it is told so once a slot is free. */
export function fifoPolicy(maxOvertakes = MAX_OVERTAKES): SchedulingPolicy {
  return {
    name: "fifo",
    pick: (queues, workers) => new FifoPlan(queues, workers, maxOvertakes).run(),
  };
}

const AT_LIMIT = { because: "concurrency", lacking: [] } as const;
const NO_SLOT: Refusal = { because: "slots", lacking: [] };

const isAtLimit = (queue: QueueView, running: number): boolean =>
  queue.concurrency !== null && running >= queue.concurrency;

interface Refused {
  readonly cursor: Cursor;
  readonly refusal: Refusal | typeof AT_LIMIT;
  readonly running: number;
  /** Placements made before it was refused. */
  readonly placedBefore: number;
}

class FifoPlan {
  readonly #order: OrderedQueues;
  readonly #space: ClusterSpace;
  readonly #maxOvertakes: number;
  readonly #placements: Placement[] = [];
  readonly #running = new Map<QueueView, number>();
  readonly #refused = new Map<QueueView, Refused>();
  readonly #tooLarge = new Map<QueueView, Refused>();

  constructor(queues: readonly QueueView[], workers: readonly FreeWorker[], maxOvertakes: number) {
    this.#order = new OrderedQueues(queues);
    this.#space = new ClusterSpace(workers);
    this.#maxOvertakes = maxOvertakes;
  }

  run(): Plan {
    for (let cursor = this.#next(); cursor !== undefined; cursor = this.#next()) this.#try(cursor);
    for (const cursor of this.#order.rest()) this.#refuseFull(cursor);
    const waiting = [...this.#tooLarge.values(), ...this.#refused.values()].map((refused) => this.#waiting(refused));
    return { placements: this.#placements, waiting };
  }

  #next(): Cursor | undefined {
    return this.#space.full ? undefined : this.#order.pop();
  }

  #try(cursor: Cursor): void {
    const { queue, head, index } = cursor;
    const running = this.#running.get(queue) ?? queue.active;
    if (isAtLimit(queue, running)) {
      this.#refuse(cursor, AT_LIMIT, running);
      return;
    }
    const place = this.#space.take(head.need);
    if ("worker" in place) {
      this.#placements.push({ head, worker: place.worker });
      this.#running.set(queue, running + 1);
      this.#order.push(queue, index + 1);
      return;
    }
    this.#refuse(cursor, place, running);
    if (place.because === "capacity" && this.#waitedLongEnough(cursor)) this.#space.hold(head.need);
    this.#order.push(queue, nextWithOtherNeed(queue, index));
  }

  /** Without a slot anywhere nothing else matters: with many queues this keeps a plan cheap. */
  #refuseFull(cursor: Cursor): void {
    const running = this.#running.get(cursor.queue) ?? cursor.queue.active;
    this.#refuse(cursor, isAtLimit(cursor.queue, running) ? AT_LIMIT : NO_SLOT, running);
  }

  #refuse(cursor: Cursor, refusal: Refused["refusal"], running: number): void {
    const refused = refusal.because === "too_large" ? this.#tooLarge : this.#refused;
    if (refused.has(cursor.queue)) return;
    refused.set(cursor.queue, { cursor, refusal, running, placedBefore: this.#placements.length });
  }

  #waitedLongEnough({ queue, head }: Cursor): boolean {
    const { overtaken } = queue;
    return overtaken !== null && overtaken.jobId === head.jobId && overtaken.times >= this.#maxOvertakes;
  }

  #waiting({ cursor, refusal, running, placedBefore }: Refused): Waiting {
    const outOfTurn = refusal.because === "capacity" || refusal.because === "reserved";
    return {
      service: cursor.queue.service,
      jobId: cursor.head.jobId,
      because: refusal.because,
      lacking: refusal.because === "capacity" ? this.#space.shortage(cursor.head.need) : refusal.lacking,
      running,
      limit: cursor.queue.concurrency,
      overtaken: outOfTurn ? this.#placements.length - placedBefore : 0,
    };
  }
}

/** Free capacity only shrinks within a plan, so a need that was refused once is refused again. */
function nextWithOtherNeed(queue: QueueView, index: number): number {
  const need = queue.heads[index]?.need;
  let next = index + 1;
  for (let head = queue.heads[next]; need && head && sameNeed(head.need, need); head = queue.heads[next]) next += 1;
  return next;
}

function sameNeed(a: Resources, b: Resources): boolean {
  if (a === b) return true;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
