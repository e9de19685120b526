import { expect, it } from "vitest";
import { type Cached, leastUseful, priorityOf } from "./greedy-dual.ts";

const cached: Cached = { stamp: 0, uses: 1, costMs: 100, freedBytes: 100 };

it("what is used often, costs much, frees little or was used late goes late", () => {
  const better = [{ uses: 2 }, { costMs: 200 }, { freedBytes: 50 }, { stamp: 1 }];
  for (const change of better) expect(priorityOf({ ...cached, ...change })).toBeGreaterThan(priorityOf(cached));
});

it("what frees nothing goes last", () => {
  const images = [
    { ...cached, freedBytes: 0 },
    { ...cached, uses: 50 },
  ];
  expect(leastUseful(images, (image) => image)?.victim).toBe(images[1]);
});

it("there may be nothing to go", () => {
  expect(leastUseful([], () => cached)).toBeNull();
});
