import { expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";

it("doubles the window up to the cap and draws from all of it", () => {
  expect([0, 1, 2, 3, 10].map((n) => backoffMs(n, 100, 1000, () => 1))).toEqual([0, 100, 200, 400, 1000]);
  expect(backoffMs(3, 100, 1000, () => 0)).toBe(0);
  expect(backoffMs(3, 100, 1000, () => 0.5)).toBe(200);
});
