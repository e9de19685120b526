import { expect, it } from "vitest";
import { contentTypeOf } from "./content-type.ts";

it.each([
  ["a/b.jpg", "image/jpeg"],
  ["B.JSON", "application/json"],
  ["x.tar.gz", "application/gzip"],
  ["noextension", "application/octet-stream"],
  ["x.constructor", "application/octet-stream"],
  ["png", "application/octet-stream"],
  ["folder.txt/data", "application/octet-stream"],
])("%s is %s", (name, type) => {
  expect(contentTypeOf(name)).toBe(type);
});
