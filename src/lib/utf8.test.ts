import { expect, test } from "vitest";
import { decodeUtf8 } from "./utf8.ts";

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));

test("text is decoded without its byte order mark", () => {
  expect(decodeUtf8(bytes("\uFEFFnaïve 🖼\r\n"))).toEqual({ text: "naïve 🖼\r\n" });
  expect(decodeUtf8(bytes())).toEqual({ text: "" });
});

test.each([
  ["the first byte", bytes([0xff]), 1, 1],
  ["Latin-1", bytes("a: 1\nname: caf", [0xe9], "\n"), 2, 10],
  ["after wide characters", bytes("é🖼", [0x80], "x"), 1, 4],
  ["a character cut at the end", bytes("a\nb", [0xe2, 0x82]), 2, 2],
  ["UTF-16", bytes([0xff, 0xfe, 0x61, 0x00]), 1, 1],
  ["a surrogate", bytes("x", [0xed, 0xa0, 0x80]), 1, 2],
])("the place of a wrong byte is found: %s", (_, input, line, column) => {
  expect(decodeUtf8(input)).toEqual({ wrongAt: { line, column } });
});
