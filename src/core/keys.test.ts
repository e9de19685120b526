import { describe, expect, it } from "vitest";
import { checkBucketName, checkKey, compareKeys, isFolderMarker } from "./keys.ts";

describe("object keys", () => {
  it.each(["..", "a/../b", ".", "//", "/a", "a//b", " ", "a\nb", "\u{1f600}", "é", "x".repeat(1024)])(
    "accepts %j byte for byte",
    (key) => {
      expect(() => checkKey(key)).not.toThrow();
    },
  );

  it.each(["", "a\0b", "x".repeat(1025), "é".repeat(513), "\ud800"])("refuses %j", (key) => {
    expect(() => checkKey(key)).toThrowError(expect.objectContaining({ code: "KEY_INVALID" }));
  });

  it("orders by UTF-8 bytes, not by UTF-16 units", () => {
    // U+FF61 is below U+1F600 in UTF-8, but above its surrogates in UTF-16.
    expect(compareKeys("\uff61", "\u{1f600}")).toBeLessThan(0);
    expect("\uff61" < "\u{1f600}").toBe(false);
    expect(["b", "a/b", "a", "a!"].toSorted(compareKeys)).toEqual(["a", "a!", "a/b", "b"]);
  });

  it("knows folder markers", () => {
    expect(isFolderMarker("photos/")).toBe(true);
    expect(isFolderMarker("photos")).toBe(false);
  });
});

describe("bucket names", () => {
  it.each(["abc", "a-b.c", "0".repeat(63)])("accepts %j", (name) => expect(() => checkBucketName(name)).not.toThrow());
  it.each(["ab", "A-bucket", "-abc", "abc-", "a..b", "10.0.0.1", "a_b", "x".repeat(64), "abc/d", ""])(
    "refuses %j",
    (name) => {
      expect(() => checkBucketName(name)).toThrowError(expect.objectContaining({ code: "BUCKET_NAME_INVALID" }));
    },
  );
});
