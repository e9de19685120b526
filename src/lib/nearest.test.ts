import { expect, test } from "vitest";
import { editDistance, nearest } from "./nearest.ts";

test.each([
  ["", "", 0],
  ["memory", "memory", 0],
  ["memory", "memry", 1],
  ["memory", "memroy", 1],
  ["memory", "nemory", 1],
  ["kitten", "sitting", 3],
  ["", "abc", 3],
])("the distance between %j and %j is %d", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test("the nearest candidate wins, whatever its case and joints", () => {
  const keys = ["memory", "total_memory", "name", "allow_loops", "s3_port"];
  expect(nearest("memroy", keys)).toBe("memory");
  expect(nearest("totalMemory", keys)).toBe("total_memory");
  expect(nearest("Name", keys)).toBe("name");
  expect(nearest("allow-loop", keys)).toBe("allow_loops");
});

test("a word that is near to nothing gets no suggestion", () => {
  expect(nearest("zebra", ["memory", "name"])).toBeNull();
  expect(nearest("x", ["cpu", "name"])).toBeNull();
  expect(nearest("memory", [])).toBeNull();
});

test("a very long word is not compared at all", () => {
  const long = "a".repeat(100_000);
  expect(nearest(long, [long])).toBeNull();
});
