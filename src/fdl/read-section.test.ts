import { expect, test } from "vitest";
import { type JsonObject, treeOf } from "../lib/tree.ts";
import { Findings } from "./findings.ts";
import type { SectionName } from "./key-row.ts";
import { readSection } from "./read-section.ts";

function read(
  section: SectionName,
  json: unknown,
): { value: JsonObject; problems: string[]; warnings: readonly string[] } {
  const findings = new Findings();
  const value = readSection(treeOf(json), section, [], findings, { service: "s", file: false });
  const problems = findings.problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
  return { value, problems, warnings: findings.warnings };
}

test.each([
  ["retries", { max_attempts: "3" }, { max_attempts: 3 }],
  ["retries", { max_attempts: 3.0 }, { max_attempts: 3 }],
  ["expose", { api_port: 8080, nodePort: ["30300", 30301] }, { api_port: [8080], nodePort: [30300, 30301] }],
  ["expose", { set_auth: "yes", auth_type: "BASIC" }, { set_auth: true, auth_type: "basic" }],
  ["output", { path: 5, optional: "off" }, { path: "5", optional: false }],
  ["input", { path: "x", prefix: "a", suffix: null }, { path: "x", prefix: ["a"] }],
  ["environment", { Variables: { A: 1, B: true, C: null } }, { variables: { A: "1", B: "true", C: "" } }],
  ["cluster", { ssl_verify: false, auth_user: "" }, { ssl_verify: false }],
  ["volume", { size: 5, lifecycle_policy: "" }, { size: "5" }],
  ["kserve", { inference: "", args: "--x" }, { args: ["--x"] }],
] as const)("%s %j becomes %j", (section, json, value) => {
  expect(read(section, json)).toEqual({ value, problems: [], warnings: [] });
});

test.each([
  ["retries", { max_attempts: 1.5 }, 'max_attempts: "1.5" is no whole number'],
  ["retries", { max_attempts: true }, 'max_attempts: "true" is no whole number'],
  ["retries", { backoff: { s: 1 } }, "backoff: a map stands where a single value belongs"],
  ["output", { path: "x", optional: "maybe" }, 'optional: "maybe" is neither true nor false'],
  ["output", { path: true }, 'path: "true" stands where a text belongs'],
  ["output", {}, ': the key "path" is missing'],
  ["volume", { size: "1Gb" }, 'size: "1Gb" is no quantity of bytes'],
  ["volume", { lifecycle_policy: "delet" }, 'lifecycle_policy: "delet" is none of delete, retain'],
  ["expose", { api_port: { x: 1 } }, "api_port: a map stands where a list of whole numbers belongs"],
  ["environment", { variables: ["A=1"] }, "variables: a list stands where a map of names to texts belongs"],
  ["environment", { secrets: { A: ["x"] } }, "secrets.A: a list stands where a text belongs"],
  ["federation", { members: [{ type: "oscr" }] }, 'members.0.type: "oscr" is none of oscar, endpoint'],
  ["federation", { members: [null] }, "members.0: the entry is empty"],
  ["federation", { members: "x" }, "members: a single value stands where a list of maps belongs"],
  ["storage_providers", { minio: { a: { endpont: "" } } }, 'minio.a.endpont: unknown key "endpont"'],
  ["storage_providers", { minio: "x" }, "minio: a single value stands where a map belongs"],
  ["service", { name: "s", script: "s", Name: "t" }, 'Name: "Name" and "name" are the same key'],
  ["input", { path: "a\0b" }, "path: the text holds a NUL character"],
] as const)("%s %j is told: %s", (section, json, problem) => {
  expect(read(section, json).problems).toEqual([problem]);
});

test("an unknown log level is INFO with a warning, as in OSCAR", () => {
  const { value, problems, warnings } = read("service", { name: "s", script: "s", log_level: "LOUD" });
  expect(problems).toEqual([]);
  expect(value.log_level).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining('"log_level" is "LOUD", which is none of NOTSET, DEBUG')]);
});

test("a value that is wrong shows a bounded piece of itself, a secret none", () => {
  const [long] = read("volume", { size: "x".repeat(10_000) }).problems;
  expect(long?.length).toBeLessThan(120);
  const [secret] = read("environment", { secrets: { A: "hush\0" } }).problems;
  expect(secret).not.toContain("hush");
});

test("very many mistakes are cut, and so is the work for keys of any length", () => {
  const json = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`key${n}`, 1]));
  expect(read("volume", json).problems).toHaveLength(100);
  expect(read("volume", { ["k".repeat(100_000)]: 1 }).problems).toHaveLength(1);
});
