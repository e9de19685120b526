import { describe, expect, it } from "vitest";
import { headerTable } from "../s3/canonical-request.ts";
import { checkConditions, rangeStillHolds } from "./conditions.ts";

const object = { etag: "abc", lastModified: Date.UTC(2026, 0, 1, 12, 0, 0, 789) };
const SAME = "Thu, 01 Jan 2026 12:00:00 GMT";
const BEFORE = "Thu, 01 Jan 2026 11:59:59 GMT";

describe("checkConditions", () => {
  it.each([
    [[], "go"],
    [["If-Match", '"abc"'], "go"],
    [["If-Match", "abc"], "go"],
    [["If-Match", "*"], "go"],
    [["If-Match", '"x", "abc"'], "go"],
    [["If-Match", '"x"'], "failed"],
    [["If-None-Match", '"abc"'], "not-modified"],
    [["If-None-Match", 'W/"abc"'], "not-modified"],
    [["If-None-Match", "*"], "not-modified"],
    [["If-None-Match", '"x"'], "go"],
    [["If-Modified-Since", SAME], "not-modified"],
    [["If-Modified-Since", BEFORE], "go"],
    [["If-Modified-Since", "yesterday"], "go"],
    [["If-Unmodified-Since", SAME], "go"],
    [["If-Unmodified-Since", BEFORE], "failed"],
    [["If-Match", '"abc"', "If-Unmodified-Since", BEFORE], "go"],
    [["If-None-Match", '"x"', "If-Modified-Since", SAME], "go"],
    [["If-Match", '"abc"', "If-None-Match", '"abc"'], "not-modified"],
  ])("%j gives %s", (headers, result) => {
    expect(checkConditions(object, headerTable(headers))).toBe(result);
  });
});

describe("rangeStillHolds", () => {
  it.each([
    [[], true],
    [["If-Range", '"abc"'], true],
    [["If-Range", '"x"'], false],
    [["If-Range", SAME], true],
    [["If-Range", BEFORE], false],
    [["If-Range", "nonsense"], false],
  ])("%j gives %s", (headers, holds) => {
    expect(rangeStillHolds(object, headerTable(headers))).toBe(holds);
  });
});
