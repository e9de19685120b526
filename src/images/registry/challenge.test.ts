import { expect, test } from "vitest";
import { parseChallenge } from "./challenge.ts";

test.each([
  ['Basic realm="a b"', { scheme: "basic", parameters: { realm: "a b" } }],
  [
    'Bearer realm="https://auth.example/token",service=registry.example,scope="repository:a/b:pull,push"',
    {
      scheme: "bearer",
      parameters: {
        realm: "https://auth.example/token",
        service: "registry.example",
        scope: "repository:a/b:pull,push",
      },
    },
  ],
  ['Basic realm="x", bearer Realm="y" , service="z"', { scheme: "bearer", parameters: { realm: "y", service: "z" } }],
  ['Bearer realm="a \\"quoted\\" word"', { scheme: "bearer", parameters: { realm: 'a "quoted" word' } }],
  ["Negotiate", null],
  ["Digest realm=x", null],
  ["", null],
  [`Bearer ${"a=".repeat(2000)}`, { scheme: "bearer", parameters: { a: expect.any(String) } }],
  [`Bearer realm=${"x".repeat(5000)}`, null],
  // What takes some patterns minutes.
  [`${"A".repeat(8000)}${" ".repeat(8000)}!`, null],
  [`Bearer realm="${"\\".repeat(4000)}`, { scheme: "bearer", parameters: { realm: expect.any(String) } }],
  [`Basic ${'"'.repeat(4000)}`, { scheme: "basic", parameters: {} }],
  [",,,,=", null],
])("%.60s", (header, challenge) => {
  expect(parseChallenge(header)).toEqual(challenge);
});
