import { describe, expect, it } from "vitest";
import type { JobHead } from "../state/state.ts";
import { OrderedQueues } from "./ordered-queues.ts";
import { compareHeads, type QueueView } from "./scheduler.ts";
import { head, queue, randomView, seededRandom } from "./testing/views.ts";

function drain(queues: readonly QueueView[]): JobHead[] {
  const order = new OrderedQueues(queues);
  const heads: JobHead[] = [];
  for (let cursor = order.pop(); cursor !== undefined; cursor = order.pop()) {
    heads.push(cursor.head);
    order.push(cursor.queue, cursor.index + 1);
  }
  return heads;
}

describe("OrderedQueues", () => {
  it("gives nothing for no queues and for empty ones", () => {
    expect(drain([])).toEqual([]);
    expect(drain([queue("a", []), queue("b", [])])).toEqual([]);
  });

  it("merges by priority, then by age", () => {
    const a = queue("a", [head("a", 1, {}), head("a", 4, {})]);
    const b = queue("b", [head("b", 9, {}, 5), head("b", 2, {})]);
    const c = queue("c", [head("c", 3, {})]);
    expect(drain([a, b, c]).map((each) => each.jobId)).toEqual(["b-9", "a-1", "b-2", "c-3", "a-4"]);
  });

  it("leaves a queue out that is not put back", () => {
    const order = new OrderedQueues([queue("a", [head("a", 1, {}), head("a", 2, {})]), queue("b", [head("b", 3, {})])]);
    expect(order.pop()?.head.jobId).toBe("a-1");
    expect(order.pop()?.head.jobId).toBe("b-3");
    expect(order.pop()).toBeUndefined();
  });

  it("gives the order of a full sort, whatever the queues", () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const { queues } = randomView(seededRandom(seed));
      const sorted = queues.flatMap((each) => each.heads).toSorted(compareHeads);
      expect(drain(queues), `seed ${seed}`).toEqual(sorted);
    }
  });
});
