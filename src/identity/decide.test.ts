import { describe, expect, it } from "vitest";
import type { Principal } from "../core/principal.ts";
import { decide } from "./decide.ts";
import type { Action, Resource } from "./identity.ts";

const who = (subject: string, issuer = "local", scopes: string[] = []): Principal => ({
  issuer,
  subject,
  groups: [],
  scopes,
  via: "basic",
});
const PRINCIPALS = {
  admin: who("cluster_admin", "local", ["admin"]),
  owner: who("ada"),
  other: who("bob"),
  token: who("thumbs", "service"),
  attempt: who("thumbs", "job"),
};
const thing = (kind: Resource["kind"], name = "thumbs", owner: string | null = "ada"): Resource => ({
  kind,
  name,
  owner,
});

/** Who may, of: admin, owner, other, service token, attempt token. */
const TABLE: ReadonlyArray<[Action, Resource, string]> = [
  ["service.read", thing("service"), "yes yes no yes yes"],
  ["service.invoke", thing("service"), "yes yes no yes yes"],
  ["service.write", thing("service"), "yes yes no no no"],
  ["service.invoke", thing("service", "else"), "yes yes no no no"],
  ["bucket.list", thing("bucket"), "yes yes no no no"],
  ["bucket.write", thing("bucket", "new", null), "yes yes yes no no"],
  ["object.read", thing("object"), "yes yes no no no"],
  ["object.write", thing("object", "x", null), "yes no no no no"],
  ["job.read", thing("job"), "yes yes no no no"],
  ["job.write", thing("job"), "yes yes no no no"],
  ["system.read", thing("system", "status", null), "yes yes yes no no"],
  ["system.admin", thing("system", "backup", null), "yes no no no no"],
];

describe("who may do what", () => {
  it.each(TABLE)("%s on %j: %s", (action, resource, expected) => {
    const answers = Object.values(PRINCIPALS).map((principal) => (decide(principal, action, resource) ? "yes" : "no"));
    expect(answers.join(" ")).toBe(expected);
  });

  it("gives a token named like an owner nothing of that owner", () => {
    expect(decide(who("ada", "service"), "object.read", thing("object"))).toBe(false);
    expect(decide(who("ada", "job"), "job.write", thing("job"))).toBe(false);
  });
});
