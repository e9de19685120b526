import { describe, expect, it } from "vitest";
import { readCopyRange, readCopySource } from "./copy-source.ts";

const s3 = (code: string) => expect.objectContaining({ details: expect.objectContaining({ s3: code }) });

describe("readCopySource", () => {
  it.each([
    ["/b/k", { bucket: "b", key: "k", versionId: null }],
    ["b/a/b%20c%2Fd", { bucket: "b", key: "a/b c/d", versionId: null }],
    ["b//k", { bucket: "b", key: "/k", versionId: null }],
    ["b/k%3FversionId=1", { bucket: "b", key: "k?versionId=1", versionId: null }],
    ["b/k?versionId=null", { bucket: "b", key: "k", versionId: "null" }],
  ])("reads %s", (text, expected) => {
    expect(readCopySource(text)).toEqual(expected);
  });

  it.each([[""], ["/"], ["b"], ["b/"], ["/b/"], ["%2F"]])("refuses %j", (text) => {
    expect(() => readCopySource(text)).toThrow(s3("InvalidArgument"));
  });
});

describe("readCopyRange", () => {
  const range = (text?: string) =>
    readCopyRange(new Map(text === undefined ? [] : [["x-amz-copy-source-range", [text]]]), 10);

  it("is the whole source, or what both ends say", () => {
    expect(range()).toEqual({ start: 0, endExclusive: 10 });
    expect(range("bytes=2-9")).toEqual({ start: 2, endExclusive: 10 });
  });

  it.each([
    ["bytes=2-", "InvalidArgument"],
    ["bytes=-2", "InvalidArgument"],
    ["bytes=5-2", "InvalidArgument"],
    ["0-5", "InvalidArgument"],
    ["bytes=2-10", "InvalidRange"],
  ])("refuses %s with %s", (text, code) => {
    expect(() => range(text)).toThrow(s3(code));
  });
});
