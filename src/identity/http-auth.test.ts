import { expect, it } from "vitest";
import { parseAuthorization } from "./http-auth.ts";

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

it("reads user and password; only the first colon parts them", () => {
  expect(parseAuthorization(basic("admin:pass:word"))).toEqual({
    scheme: "basic",
    user: "admin",
    password: "pass:word",
  });
  expect(parseAuthorization(basic("é:ü").replace("Basic", "bAsIc"))).toEqual({
    scheme: "basic",
    user: "é",
    password: "ü",
  });
  expect(parseAuthorization(basic(":"))).toEqual({ scheme: "basic", user: "", password: "" });
});

it("reads a bearer token", () => {
  expect(parseAuthorization("Bearer abc.def")).toEqual({ scheme: "bearer", token: "abc.def" });
});

it.each([
  undefined,
  "",
  "Basic",
  "Basic ",
  "Basic !!!!",
  basic("nocolon"),
  "Bearer",
  "Bearer a b",
  "Digest x=y",
  "AWS4-HMAC-SHA256 x",
  `Bearer ${"x".repeat(9000)}`,
])("takes %j for no credential", (header) => expect(parseAuthorization(header)).toBeNull());
