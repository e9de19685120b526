import type { JobHead } from "../state/state.ts";
import { compareHeads, type QueueView } from "./scheduler.ts";

/** A place in one queue. */
export interface Cursor {
  readonly queue: QueueView;
  readonly head: JobHead;
  readonly index: number;
}

/** Merges queues into one order without sorting their jobs: a binary heap of cursors, so that a look at many queues costs O(log queues) a job. */
export class OrderedQueues {
  readonly #heap: Cursor[] = [];

  constructor(queues: readonly QueueView[]) {
    for (const queue of queues) this.push(queue, 0);
  }

  /** The first job of all queues, taken out together with its queue's place; undefined at the end. */
  pop(): Cursor | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#heap[0] = last;
    this.#sink(0);
    return first;
  }

  /** What was not taken out, in no order. */
  rest(): readonly Cursor[] {
    return this.#heap;
  }

  /** Puts a queue back at a place; one that is past its end stays out. */
  push(queue: QueueView, index: number): void {
    const head = queue.heads[index];
    if (head === undefined) return;
    this.#heap.push({ queue, head, index });
    this.#rise(this.#heap.length - 1);
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    return x !== undefined && y !== undefined && compareHeads(x.head, y.head) < 0;
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x !== undefined && y !== undefined) [this.#heap[a], this.#heap[b]] = [y, x];
  }

  #rise(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(start: number): void {
    for (let at = start; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = this.#before(left, at) ? left : at;
      if (this.#before(right, least)) least = right;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }
}
