import { expect, it } from "vitest";
import { inputFileName } from "./input-name.ts";

it.each([
  ["photos/in/cat.jpg", "cat.jpg"],
  ["cat.jpg", "cat.jpg"],
  ["a//b", "b"],
  ["in/..x", "..x"],
  ["in/\u{1f600}.png", "\u{1f600}.png"],
  [`in/${"x".repeat(255)}`, "x".repeat(255)],
])("keeps the base name of %j", (key, name) => expect(inputFileName(key)).toBe(name));

it.each(["in/..", "in/.", "folder/", `in/${"é".repeat(200)}.tiff`])(
  "makes a file name for %j that no folder can misread",
  (key) => {
    const name = inputFileName(key);
    expect(name).not.toMatch(/^\.{0,2}$/);
    expect(name).not.toContain("/");
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(name).toMatch(/-[0-9a-f]{8}(\.tiff)?$/);
  },
);

it("tells two long names with one start apart, keeps the extension and splits no character", () => {
  const [a, b] = [`in/${"é".repeat(150)}1.tiff`, `in/${"é".repeat(150)}2.tiff`].map(inputFileName);
  expect(a).not.toBe(b);
  expect(a).toMatch(/^é{100}-[0-9a-f]{8}\.tiff$/);
});
