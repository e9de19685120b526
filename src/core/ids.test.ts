import { expect, it } from "vitest";
import { newBlobId, newJobId, newToken } from "./ids.ts";

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

it.each([
  ["thumbs", "thumbs"],
  ["a".repeat(24), "a".repeat(24)],
  ["b".repeat(25), "b".repeat(16)],
])("names jobs of %s by %s and a uuid", (service, start) => {
  expect(newJobId(service)).toMatch(new RegExp(`^${start}-${UUID}$`));
});

it("gives blobs and tokens the promised lengths", () => {
  expect(newBlobId()).toMatch(/^[0-9a-f]{32}$/);
  expect(newToken()).toMatch(/^[0-9a-f]{64}$/);
  expect(newToken()).not.toBe(newToken());
});

it("tokens and blob ids that are drawn one after the other never share bytes", () => {
  const drawn = Array.from({ length: 1000 }, (_, at) => (at % 3 === 0 ? newToken() : newBlobId()));
  const halves = drawn.flatMap((text) => text.match(/.{32}/g) ?? []);
  expect(halves).toHaveLength(334 * 2 + 666);
  expect(new Set(halves).size).toBe(halves.length);
});
