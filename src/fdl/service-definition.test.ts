import { expect, test } from "vitest";
import { stringify } from "yaml";
import { isSluiceError, type SluiceError } from "../core/errors.ts";
import type { JsonObject } from "../lib/tree.ts";
import { ANY_SERVER } from "./check-service.ts";
import { withKeptSecrets } from "./secret-values.ts";
import { definitionOf, serviceFromDefinition, toDefinition } from "./service-definition.ts";
import { FIXTURES, fixtureText, parseText, SMALL_SERVER } from "./testing/fixture-files.ts";

const SCRIPT = "echo hi\n";

function refusal(json: unknown, server = ANY_SERVER): SluiceError {
  try {
    serviceFromDefinition(json, server);
  } catch (error) {
    if (isSluiceError(error)) return error;
    throw error;
  }
  throw new Error("the definition was taken");
}

test("a client's JSON becomes a service; numbers may be texts and texts numbers", () => {
  const { spec, warnings } = serviceFromDefinition(
    {
      name: "api",
      script: "#!/bin/sh\r\necho hi\r\n",
      cpu: 0.5,
      memory: 268435456,
      enable_gpu: "false",
      concurrency: "3",
      timeout: 90,
      retries: { max_attempts: "2", backoff: 1 },
      environment: { Variables: { PORT: 8080, ON: true } },
      input: [{ storage_provider: "minio", path: "photos/in", suffix: ".jpg" }],
    },
    ANY_SERVER,
  );
  expect(warnings).toEqual([]);
  expect(spec).toMatchObject({
    script: "#!/bin/sh\necho hi\n",
    resources: { cpu: 500, memory: 256 * 1024 ** 2 },
    concurrency: 3,
    timeoutMs: 90_000,
    retries: { maxAttempts: 2, backoffMs: 1000 },
    variables: { PORT: "8080", ON: "true" },
    inputs: [{ bucket: "photos", folder: "in", suffixes: [".jpg"] }],
  });
  expect(spec.definition).not.toHaveProperty("script");
});

test("nulls, empty texts and zeros of Go's clients count as not given", () => {
  const bare = serviceFromDefinition({ name: "api", script: SCRIPT, image: "alpine" }, ANY_SERVER);
  const full = serviceFromDefinition(
    {
      name: "api",
      cluster_id: "",
      memory: "",
      cpu: "",
      total_memory: "",
      enable_sgx: false,
      synchronous: { min_scale: 0, max_scale: 0 },
      delegation: "",
      rescheduler_threshold: 0,
      log_level: "",
      image: "alpine",
      token: "abc",
      input: null,
      output: null,
      script: SCRIPT,
      expose: { min_scale: 0, max_scale: 0, api_port: 0, cpu_threshold: 0, set_auth: false, health_path: "" },
      environment: { variables: null, secrets: null },
      annotations: null,
      labels: {},
      owner: "somebody",
      visibility: "",
      allowed_users: null,
      isolation_level: "",
      bucket_list: null,
      mount: { storage_provider: "", path: "" },
      volume: null,
      volume_status: { enabled: false },
      storage_providers: { minio: { default: { endpoint: "https://x", access_key: "hidden", secret_key: "hidden" } } },
    },
    ANY_SERVER,
  );
  expect(full).toEqual(bare);
});

test("every problem is in the one error, with its path", () => {
  const error = refusal({ name: "Api", script: "", memory: "12Q", nmae: 1, input: [{ path: "a" }] });
  expect(error.code).toBe("SERVICE_INVALID");
  expect(error.status).toBe(400);
  for (const part of [
    '"Api" cannot name',
    "script: the script is empty",
    'memory: "12Q" is no quantity',
    'did you mean "name"?',
  ]) {
    expect(error.message).toContain(part);
  }
  expect(error.details?.problems).toHaveLength(5);
});

test.each([null, 5, "text", [], true])("%j is no definition", (json) => {
  expect(refusal(json).code).toBe("SERVICE_INVALID");
});

test("what the server cannot do has its own code when it is all that is wrong", () => {
  const definition = { name: "api", script: SCRIPT };
  expect(refusal({ ...definition, image: "alpine" }, SMALL_SERVER).code).toBe("IMAGE_UNSUPPORTED");
  expect(refusal({ ...definition, network: "host" }, SMALL_SERVER).code).toBe("NETWORK_UNSUPPORTED");
  expect(refusal({ ...definition, cpu: 99 }, SMALL_SERVER).code).toBe("RESOURCES_TOO_LARGE");
  expect(refusal({ ...definition, cpu: 99, network: "host" }, SMALL_SERVER).code).toBe("SERVICE_INVALID");
});

test("hostile JSON is refused or harmless", () => {
  let deep: unknown = [];
  for (let n = 0; n < 5000; n += 1) deep = [deep];
  expect(refusal({ name: "api", script: SCRIPT, input: deep }).code).toBe("SERVICE_INVALID");
  const proto = JSON.parse(`{"name": "api", "script": "x", "__proto__": {"allow_loops": true}, "constructor": 1}`);
  expect(refusal(proto).details?.problems).toHaveLength(2);
  const variables = JSON.parse('{"__proto__": "x"}');
  const { spec } = serviceFromDefinition({ name: "api", script: "x", environment: { variables } }, ANY_SERVER);
  expect(Object.keys(spec.variables)).toEqual(["__proto__"]);
  expect(refusal({ name: "api", script: SCRIPT, memory: "1e400", disk: "9999Ei" }).details?.problems).toHaveLength(2);
  expect(refusal({ name: "\uD800", script: "\uD800" }).code).toBe("SERVICE_INVALID");
});

const services = FIXTURES.flatMap((file) =>
  parseText(fixtureText(file)).services.map((service) => [service.spec.name, service] as const),
);

test.each(services)("what a client posts for %s makes the same service on the server", (_, parsed) => {
  if (parsed.spec.name === "archive") return;
  const { spec } = serviceFromDefinition(JSON.parse(JSON.stringify(toDefinition(parsed))), ANY_SERVER);
  expect(spec).toEqual(parsed.spec);
});

test.each(services)("what the server answers for %s, sent back, changes nothing", (_, { spec }) => {
  if (spec.name === "archive") return;
  const answer: JsonObject = JSON.parse(JSON.stringify(definitionOf(spec)));
  expect(JSON.stringify(answer)).not.toContain("not-a-real");
  const added = { token: "t", owner: "o", revision: "rev-1", created_at: "x", updated_at: "x" };
  const labels = { ...Object(answer.labels), oscar_service: spec.name };
  const again = serviceFromDefinition({ ...answer, ...added, labels }, ANY_SERVER);
  expect(withKeptSecrets(again.spec, spec)).toEqual(spec);
});

test("answers hold OSCAR's keys with their defaults", () => {
  const { spec } = serviceFromDefinition({ name: "api", script: SCRIPT, input: [{ path: "photos/in" }] }, ANY_SERVER);
  expect(definitionOf(spec)).toMatchObject({
    name: "api",
    image: "host",
    script: SCRIPT,
    cpu: "0.2",
    memory: "256Mi",
    log_level: "INFO",
    visibility: "private",
    environment: { variables: {}, secrets: {} },
    input: [{ storage_provider: "minio.default", path: "photos/in", prefix: [], suffix: [] }],
    output: [],
  });
  expect(definitionOf(spec)).not.toHaveProperty("timeout");
  expect(definitionOf(spec)).not.toHaveProperty("token");
});

test("secrets are posted, stored for the script, and answered empty", () => {
  const [clinic] = parseText(fixtureText("clinic.yaml")).services;
  if (!clinic) throw new Error("no service");
  expect(toDefinition(clinic)).toMatchObject({
    cluster_id: "oscar-cluster",
    script: "echo clinic.sh\n",
    environment: { secrets: { DATABASE_PASSWORD: "not-a-real-password" } },
  });
  expect(definitionOf(clinic.spec).environment).toEqual({
    variables: { DATABASE: "scans" },
    secrets: { DATABASE_PASSWORD: "" },
  });
});

test("kept secrets fill only what came empty", () => {
  const make = (secrets: Record<string, string>) =>
    serviceFromDefinition({ name: "api", script: SCRIPT, environment: { secrets } }, ANY_SERVER).spec;
  const kept = withKeptSecrets(make({ A: "", B: "new", C: "" }), make({ A: "old", B: "old", D: "old" }));
  expect(kept.secrets).toEqual({ A: "old", B: "new", C: "" });
});

/** A small generator with a seed, so that a failure can be run again. */
function generator(seed: number): { below: (limit: number) => number; some: <T>(items: readonly T[]) => T[] } {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
  return { below, some: (items) => items.filter(() => below(2) === 0) };
}

const ODD_TEXTS = [
  "plain",
  "0755",
  "1.0",
  "yes",
  "null",
  "~",
  " spaces ",
  "a: b #c",
  "line\nbreak\n",
  "tab\t",
  "é🖼",
  "'\"\\",
  "[x]",
  "&a",
  "%",
  "-",
];

function randomDefinition(seed: number): JsonObject {
  const { below, some } = generator(seed);
  const texts = () => some(ODD_TEXTS);
  const entry = (): JsonObject => ({ path: `photos/${seed}/${below(1000)}`, prefix: texts(), suffix: texts() });
  const values: JsonObject = {
    cpu: `${1 + below(4000)}m`,
    memory: `${4 + below(4000)}Mi`,
    timeout: `${1 + below(500)}s`,
    disk: `${1 + below(50)}Gi`,
    cpu_limit: below(2) === 0,
    retries: { max_attempts: 1 + below(5), backoff: `${below(60)}s` },
    concurrency: 1 + below(9),
    network: ["none", "outbound", "host"][below(3)] ?? "none",
    on_conflict: ["overwrite", "rename", "fail"][below(3)] ?? "fail",
    allow_loops: below(2) === 0,
    environment: { variables: Object.fromEntries(texts().map((text, n) => [`V${n}`, text])) },
    annotations: Object.fromEntries(texts().map((text) => [text, text])),
    input: [entry(), entry()],
    output: [entry()],
  };
  return { name: `s${seed}`, ...Object.fromEntries(some(Object.entries(values))) };
}

test("any definition goes through YAML, JSON and the server's answer unchanged", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const definition = randomDefinition(seed);
    const yaml = stringify({ functions: { oscar: [{ local: { ...definition, script: "s.sh" } }] } });
    const { services: parsed, problems } = parseText(yaml);
    expect(problems, yaml).toEqual([]);
    const [service] = parsed;
    if (!service) throw new Error(`seed ${seed} was lost`);
    const posted = { ...definition, cluster_id: "local", script: "echo s.sh\n" };
    const { spec } = serviceFromDefinition(posted, ANY_SERVER);
    expect(service.spec, yaml).toEqual(spec);
    expect(serviceFromDefinition(definitionOf(spec), ANY_SERVER).spec, yaml).toEqual(spec);
  }
});

test("more sandboxes to be ready than the server keeps are said", () => {
  const warned = (min_scale: number): readonly string[] =>
    serviceFromDefinition(
      { name: "api", image: "alpine", synchronous: { min_scale } },
      { ...ANY_SERVER, readyAtMost: 4 },
    ).warnings;
  expect(warned(4)).toEqual([]);
  expect(warned(5)).toEqual([expect.stringContaining("at most 4 sandboxes ready")]);
});
