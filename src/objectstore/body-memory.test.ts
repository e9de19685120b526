import { expect, it } from "vitest";
import { lendMemory, returnMemory } from "./body-memory.ts";

const LARGE = 64 * 1024;

it("frees a buffer when all parts of it have come back", () => {
  const piece = Buffer.allocUnsafeSlow(LARGE);
  const parts = [piece.subarray(0, 10), piece.subarray(20, LARGE)] as const;
  lendMemory(piece, 2);
  returnMemory(parts[0]);
  expect(piece.length).toBe(LARGE);
  returnMemory(parts[1]);
  expect(piece.length).toBe(0);
  expect(parts[1].length).toBe(0);
});

it.each([
  ["that was not lent", Buffer.allocUnsafeSlow(LARGE), 0],
  ["that is small", Buffer.allocUnsafeSlow(100), 1],
  ["that is a part of a buffer", Buffer.allocUnsafeSlow(2 * LARGE).subarray(LARGE), 1],
])("leaves memory alone %s", (_, piece, parts) => {
  const { length } = piece;
  lendMemory(piece, parts);
  returnMemory(piece);
  expect(piece.length).toBe(length);
});

it("takes no harm from a part that comes back twice", () => {
  const piece = Buffer.allocUnsafeSlow(LARGE);
  lendMemory(piece, 1);
  returnMemory(piece);
  returnMemory(piece);
  expect(piece.length).toBe(0);
});
