import { expect, test } from "vitest";
import type { JsonObject } from "../lib/tree.ts";
import { buildService } from "./build-service.ts";
import { ANY_SERVER, type ServerAbilities } from "./check-service.ts";
import { Findings } from "./findings.ts";
import { SMALL_SERVER } from "./testing/fixture-files.ts";

function build(definition: JsonObject, server: ServerAbilities = ANY_SERVER) {
  const findings = new Findings();
  const spec = buildService({ name: "s", ...definition }, "echo", server, findings);
  return { spec, problems: findings.problems.map(({ path, message }) => `${path.join(".")}: ${message}`) };
}

test.each(["a", "s3", "my-service", "0day", "x".repeat(39)])("%j names a service", (name) => {
  expect(build({ name }).problems).toEqual([]);
});

test.each(["", "A", "a_b", "-a", "a-", "a.b", "x".repeat(40), "é", "a\n", "../x"])("%j names no service", (name) => {
  expect(build({ name }).problems).toEqual([expect.stringContaining("cannot name a service")]);
});

test.each([
  [{ memory: "4Mi" }, []],
  [{ memory: "4095Ki" }, ["memory: 4193280 bytes are too little for any script"]],
  [{ memory: "128" }, ["memory: 128 bytes are too little for any script"]],
  [{ cpu: "0" }, ["cpu: a job needs some CPU"]],
  [{ cpu: "1m" }, []],
  [{ disk: "1000" }, ["disk: 1000 bytes are too little for any script"]],
  [{ timeout: "0s" }, ["timeout: 0s is not between 1ms and 24d20h31m23s647ms"]],
  [{ timeout: "30d" }, ["timeout: 30d is not between 1ms and 24d20h31m23s647ms"]],
  [{ concurrency: 0 }, ["concurrency: 0 is not between 1 and 1000000"]],
  [{ retries: { max_attempts: 0 } }, ["retries.max_attempts: 0 is not between 1 and 100"]],
  [{ retries: { backoff: "0s" } }, []],
  [{ image: "two words" }, ['image: "two words" is no image']],
  [{ image: "--privileged" }, ['image: "--privileged" is no image']],
])("bounds: %j", (definition, problems) => {
  expect(build(definition).problems).toEqual(problems);
});

test("the default disk is no more than a worker has, a written one stays", () => {
  expect(build({}, SMALL_SERVER).spec.resources.disk).toBe(5 * 1024 ** 3);
  expect(build({ disk: "8Gi" }, SMALL_SERVER).spec.resources.disk).toBe(8 * 1024 ** 3);
});

test("the server's timeouts are the default and the most", () => {
  expect(build({}, { ...ANY_SERVER, defaultTimeoutMs: 1000, maxTimeoutMs: 5000 }).spec.timeoutMs).toBe(1000);
  expect(build({}, { ...ANY_SERVER, maxTimeoutMs: 5000 }).spec.timeoutMs).toBe(5000);
  expect(build({ timeout: "5s" }, { ...ANY_SERVER, maxTimeoutMs: 5000 }).problems).toEqual([]);
  expect(build({ timeout: "6s" }, { ...ANY_SERVER, maxTimeoutMs: 5000 }).problems).toEqual([
    "timeout: 6s is longer than this server allows",
  ]);
});

test("a GPU is reserved only when asked for", () => {
  expect(build({ enable_gpu: true }).spec.resources.gpu).toBe(1);
  expect(build({}).spec.resources).not.toHaveProperty("gpu");
});

test("variables are held to what the kernel takes", () => {
  const problems = (variables: JsonObject, secrets: JsonObject = {}) =>
    build({ environment: { variables, secrets } }).problems.map((problem) => problem.slice(0, 60));
  expect(problems({ A: "x".repeat(128 * 1024 - 3) })).toEqual([]);
  expect(problems({ A: "x".repeat(128 * 1024 - 2) })).toEqual([
    "environment.variables.A: the variable has 131073 bytes, at m",
  ]);
  // Counted in bytes, not in characters.
  expect(problems({ A: "é".repeat(65 * 1024) })).toHaveLength(1);
  const eight = Object.fromEntries("ABCDEFGH".split("").map((name) => [name, "x".repeat(127 * 1024)]));
  expect(problems(eight)).toEqual([expect.stringContaining("environment: the variables have 10")]);
  expect(problems({ "1A": "x", "A=B": "x", "": "x" })).toHaveLength(3);
  expect(problems({ A: "1" }, { A: "2" })).toEqual([expect.stringContaining('"A" is a variable and a secret')]);
});
