import { expect, it, vi } from "vitest";
import { createLocalIdentity } from "./local-identity.ts";

const admin = { user: "ada", password: "correct horse", accessKey: "AKADA", secretKey: "secret" };
const holder = {
  principal: { issuer: "service", subject: "thumbs", groups: [], scopes: [], via: "bearer" },
  service: "thumbs",
  lineage: null,
};
const token = "ab".repeat(32);

function identity() {
  const tokenPrincipal = vi.fn(async (given: string) => (given === token ? holder : null));
  return { tokenPrincipal, ...createLocalIdentity({ admin, state: { tokenPrincipal } }) };
}

it("knows the administrator by password", async () => {
  const { basic } = identity();
  expect(await basic("ada", "correct horse")).toMatchObject({
    subject: "cluster_admin",
    scopes: ["admin"],
    via: "basic",
  });
  for (const [user, password] of [
    ["ada", ""],
    ["ada", "correct horse "],
    ["Ada", "correct horse"],
    ["", ""],
  ] as const) {
    expect(await basic(user, password)).toBeNull();
  }
});

it("knows the administrator's access key, and no other", async () => {
  const { accessKey } = identity();
  expect(await accessKey("AKADA")).toMatchObject({ secretKey: "secret", principal: { via: "sigv4" } });
  expect(await accessKey("akada")).toBeNull();
  expect(await accessKey("")).toBeNull();
});

it("asks the state about tokens, but only about what can be one", async () => {
  const { bearer, tokenPrincipal } = identity();
  expect(await bearer(token)).toBe(holder);
  expect(await bearer("cd".repeat(32))).toBeNull();
  expect(tokenPrincipal).toHaveBeenCalledTimes(2);
  for (const odd of ["", "x", token.toUpperCase(), `${token}0`, `${token}\n`]) expect(await bearer(odd)).toBeNull();
  expect(tokenPrincipal).toHaveBeenCalledTimes(2);
});
