import { expect, test } from "vitest";
import { shareOut } from "./share-out.ts";

test.each([
  [[], 5, []],
  [[2, 3], 10, [2, 3]],
  [[1000, 1, 1000], 6, [3, 1, 2]],
  [[5, 5, 5], 2, [1, 1, 0]],
  [[0, 4], 3, [0, 3]],
  [[3], 0, [0]],
])("of %j, with room for %i", (wanted, room, shares) => {
  expect(shareOut(wanted, room)).toEqual(shares);
});
