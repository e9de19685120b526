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
  [`Bearer ${"a=".repeat(20_000)}`, expect.anything()],
  [",,,,=", null],
])("%.60s", (header, challenge) => {
  expect(parseChallenge(header)).toEqual(challenge);
});
