import { describe, expect, it } from "vitest";
import { toS3Failure } from "./errors.ts";
import { objectPath, requestTarget } from "./sign-request.ts";
import { decodeUriPart, encodeUriComponent, encodeUriPath, parseQuery } from "./uri-encoding.ts";

const HOSTILE = [
  "a//b",
  "..",
  "a/./../b",
  " ",
  "+",
  "%",
  "%2F",
  "é",
  "\u{1F600}",
  "a\u0001b\n",
  "!'()*~",
  "?#&=",
  "/lead",
];

describe("encodeUriComponent", () => {
  it("encodes every byte but the unreserved ones, in upper case", () => {
    expect(encodeUriComponent("AZaz09-._~")).toBe("AZaz09-._~");
    expect(encodeUriComponent(" +/%!'()*é")).toBe("%20%2B%2F%25%21%27%28%29%2A%C3%A9");
  });
});

describe("encodeUriPath and decodeUriPart", () => {
  it.each(HOSTILE)("bring %j there and back unchanged", (key) => {
    expect(decodeUriPart(encodeUriPath(key))).toBe(key);
    expect(encodeUriPath(key)).toMatch(/^[\x21-\x7e]+$/);
  });

  it("keep every slash", () => {
    expect(encodeUriPath("/b//a/../c/")).toBe("/b//a/../c/");
  });

  it("read raw bytes beyond ASCII as UTF-8, as Node hands them over", () => {
    expect(decodeUriPart(Buffer.from("é/\u{1F600}").toString("latin1"))).toBe("é/\u{1F600}");
  });

  it.each(["%", "%4", "%zz", "a%C3", "%C0%80", "%ED%A0%80", "%FF", "\xff"])("refuse %j", (raw) => {
    try {
      decodeUriPart(raw);
      expect.unreachable();
    } catch (error) {
      expect(toS3Failure(error).code).toBe("InvalidURI");
    }
  });
});

describe("parseQuery", () => {
  it.each([
    ["", []],
    ["a", [["a", ""]]],
    [
      "a=b=c&&d=",
      [
        ["a", "b=c"],
        ["d", ""],
      ],
    ],
    [
      "p=a+b%2Bc&list-type=2",
      [
        ["p", "a b+c"],
        ["list-type", "2"],
      ],
    ],
  ])("reads %j", (raw, pairs) => {
    expect(parseQuery(raw)).toEqual(pairs);
  });
});

describe("requestTarget", () => {
  it("writes path and parameters as they stand on the wire", () => {
    expect(requestTarget(objectPath("b", "x y/../z"), [["prefix", "ä&"]])).toBe("/b/x%20y/../z?prefix=%C3%A4%26");
    expect(requestTarget(objectPath("b"))).toBe("/b");
  });
});
