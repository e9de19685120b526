import { expect, it } from "vitest";
import { Semaphore } from "./semaphore.ts";

it("lets no more in than its limit, in order, and frees the place of a task that throws", async () => {
  const semaphore = new Semaphore(2);
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  const task = (n: number) => async () => {
    inside += 1;
    most = Math.max(most, inside);
    order.push(n);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside -= 1;
    if (n === 0) throw new Error("first fails");
  };
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map((n) => semaphore.run(task(n))));
  expect(results.map((result) => result.status)).toEqual([
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect(most).toBe(2);
  expect(order).toEqual([0, 1, 2, 3, 4]);
  expect(semaphore.waiting).toBe(0);
});
