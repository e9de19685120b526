import { describe, expect, it } from "vitest";
import { toS3Failure } from "../s3/errors.ts";
import { readRange } from "./ranges.ts";

describe("readRange of 10 bytes", () => {
  it.each([
    ["bytes=0-0", 0, 1],
    ["bytes=0-9", 0, 10],
    ["bytes=0-99", 0, 10],
    ["bytes=9-", 9, 10],
    ["bytes=3-5", 3, 6],
    ["bytes=-3", 7, 10],
    ["bytes=-99", 0, 10],
    [" BYTES=1-2 ", 1, 3],
  ])("%s", (text, start, endExclusive) => {
    expect(readRange(text, 10)).toEqual({ start, endExclusive });
  });

  it.each([undefined, "", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=1.5-2"])(
    "%j asks for the whole",
    (text) => {
      expect(readRange(text, 10)).toBeNull();
    },
  );

  it.each(["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"])("%s is outside", (text) => {
    try {
      readRange(text, 10);
      expect.unreachable();
    } catch (error) {
      expect(toS3Failure(error)).toMatchObject({
        code: "InvalidRange",
        status: 416,
        fields: { ActualObjectSize: "10" },
      });
    }
  });

  it("has no byte to give of an empty object", () => {
    expect(() => readRange("bytes=0-0", 0)).toThrow();
    expect(() => readRange("bytes=-1", 0)).toThrow();
    expect(readRange(undefined, 0)).toBeNull();
  });
});
