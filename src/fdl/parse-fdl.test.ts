import { expect, test } from "vitest";
import { ANY_SERVER } from "./check-service.ts";
import { fdlError } from "./findings.ts";
import { KEY_TABLE } from "./key-table.ts";
import { parseFdl } from "./parse-fdl.ts";
import { FIXTURES, fixtureText, parseText, SMALL_SERVER } from "./testing/fixture-files.ts";

/** `line:column path: message` of each problem. */
const told = (text: string | Uint8Array, server = ANY_SERVER) =>
  parseText(text, server).problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);

const service = (body: string) =>
  `functions:\n  oscar:\n  - local:\n      name: s\n      script: s.sh\n${body.replace(/^/gm, "      ")}\n`;

const REFUSED = ["outside-storage.yaml"];

test.each(FIXTURES.filter((name) => !REFUSED.includes(name)))("%s has no problems", (name) => {
  const { services, problems } = parseText(fixtureText(name));
  expect(problems).toEqual([]);
  expect(services.length).toBeGreaterThan(0);
});

test("our own keys become a service", () => {
  const [parsed] = parseText(fixtureText("pictures.yaml")).services;
  expect(parsed?.clusterId).toBe("local");
  expect(parsed?.warnings).toEqual([]);
  expect(parsed?.spec).toMatchObject({
    name: "thumbnails",
    image: "host",
    script: "echo thumbnail.sh\n",
    resources: { cpu: 500, memory: 256 * 1024 ** 2, disk: 1024 ** 3 },
    cpuLimit: true,
    timeoutMs: 600_000,
    retries: { maxAttempts: 3, backoffMs: 10_000 },
    concurrency: 4,
    network: "none",
    inputs: [
      {
        provider: "minio.default",
        bucket: "photos",
        folder: "in",
        prefixes: [],
        suffixes: [".jpg", ".png"],
        optional: false,
      },
    ],
    outputs: [
      { provider: "minio.default", bucket: "photos", folder: "thumbs/{date}", optional: false },
      { provider: "minio.default", bucket: "photos", folder: "copies", prefixes: ["big"], optional: true },
    ],
    onConflict: "rename",
    allowLoops: false,
  });
});

test("what is not given is as OSCAR has it, and as we do where OSCAR has nothing", () => {
  const [parsed] = parseText(service("")).services;
  expect(parsed?.spec).toEqual({
    name: "s",
    image: "host",
    imageDigest: null,
    imagePullSecrets: [],
    imagePrefetch: false,
    minInstances: 0,
    reuse: false,
    script: "echo s.sh\n",
    resources: { cpu: 200, memory: 256 * 1024 ** 2, disk: 10 * 1024 ** 3 },
    cpuLimit: false,
    timeoutMs: null,
    retries: { maxAttempts: 1, backoffMs: 10_000 },
    concurrency: null,
    network: "none",
    inputs: [],
    outputs: [],
    onConflict: "overwrite",
    allowLoops: false,
    skipStageIn: false,
    variables: {},
    secrets: {},
    logLevel: "INFO",
    visibility: "private",
    allowedUsers: [],
    definition: { name: "s", cluster_id: "local" },
  });
});

test("an OCI image reaches the world unless it says otherwise", () => {
  expect(parseText(service("image: alpine")).services[0]?.spec.network).toBe("outbound");
  expect(parseText(service("image: alpine\nnetwork: none")).services[0]?.spec.network).toBe("none");
});

test("an image may run without a script, this machine's programs not", () => {
  const text = "functions:\n  oscar:\n  - local:\n      name: s\n      image: ";
  expect(parseText(`${text}alpine\n`).services[0]?.spec.script).toBe("");
  expect(
    parseText(`${text}host\n`)
      .problems.map(({ message }) => message)
      .join(),
  ).toContain('"script" is missing');
});

test("values of variables are texts as they were written", () => {
  const [parsed] = parseText(fixtureText("cowsay.yaml")).services;
  expect(parsed?.spec.variables).toEqual({ INPUT_TYPE: "json", WRAP: "040", SHOUT: "yes" });
  expect(parsed?.spec.logLevel).toBe("CRITICAL");
  expect(parsed?.spec.resources.cpu).toBe(1000);
});

test("keys without effect are told with key and service, and kept", () => {
  const [parsed] = parseText(fixtureText("clinic.yaml")).services;
  const keys = ["enable_sgx", "vo", "allowed_users", "visibility", "isolation_level"];
  expect(parsed?.warnings).toHaveLength(keys.length);
  for (const key of keys) {
    expect(
      parsed?.warnings.filter((warning) => warning.includes(`"${key}"`) && warning.includes('"clinic"')),
    ).toHaveLength(1);
    expect(parsed?.spec.definition).toHaveProperty(key);
  }
});

test("every key that has no effect here is warned of somewhere among the files", () => {
  const warnings = FIXTURES.flatMap((name) =>
    parseText(fixtureText(name)).services.flatMap((parsed) => parsed.warnings),
  );
  const silent = KEY_TABLE.service.filter((row) => row.effect === "warns" || row.effect === "read-only");
  expect(silent.filter(({ key }) => !warnings.some((one) => one.includes(`"${key}"`))).map(({ key }) => key)).toEqual(
    [],
  );
});

test("what a Go client sends for nothing is no reason to warn", () => {
  const [parsed] = parseText(fixtureText("exported-again.yaml")).services;
  expect(parsed?.warnings).toEqual([
    'Service "exported-again": the server sets "owner" itself, the value given is not used',
  ]);
  expect(parsed?.spec.definition).toEqual({
    name: "exported-again",
    cluster_id: "local",
    image: "registry.example/tools/export",
  });
});

test("secrets are given to the script and shown nowhere", () => {
  for (const name of FIXTURES) {
    for (const { spec, warnings } of parseText(fixtureText(name)).services) {
      expect(JSON.stringify([spec.definition, warnings])).not.toContain("not-a-real");
    }
  }
  const [clinic] = parseText(fixtureText("clinic.yaml")).services;
  expect(clinic?.spec.secrets).toEqual({ DATABASE_PASSWORD: "not-a-real-password" });
  expect(clinic?.spec.definition.environment).toEqual({
    variables: { DATABASE: "scans" },
    secrets: { DATABASE_PASSWORD: "" },
  });
});

test("every mistake is told at once, each at its place and with a cure", () => {
  const text = `functions:
  oscar:
  - local:
      name: Thumbs_1
      memroy: 1Gi
      memory: 512
      cpu: many
      script: missing.sh
      timeout: 10 minutes
      retries: {max_atempts: 3, backoff: soon}
      environment:
        variables: {"A B": 1, LIST: [1]}
      input:
      - path: ''
      - {storage_provider: mino, path: photos/in}
      output:
      - {storage_provider: s3.backup, path: photos/out}
      - {path: Photos/out, sufix: .png}
  - local:
      name: other
      script: there.sh
clusters:
  north: {endpont: x}
`;
  const { problems } = parseFdl(text, {
    fileName: "bad.yaml",
    readFile: (path) => (path === "there.sh" ? "echo" : null),
    server: ANY_SERVER,
  });
  expect(problems.map(({ line, column, suggestion }) => [line, column, suggestion])).toEqual([
    [4, 13, "for example thumbs-1"],
    [5, 7, 'did you mean "memory"?'],
    [6, 15, "did you mean 512Mi?"],
    [7, 12, "write for example 0.5 or 500m"],
    [8, 15, "paths count from the folder of this file"],
    [9, 16, "write for example 90s, 10m or 1h30m"],
    [10, 17, 'did you mean "max_attempts"?'],
    [10, 42, "write for example 90s, 10m or 1h30m"],
    [12, 21, "use letters, digits and _, and no digit first"],
    [12, 31, "put it in quotes"],
    [14, 15, "write a bucket and a folder, for example Thumbs_1/in"],
    [15, 28, 'did you mean "minio"?'],
    [17, 28, 'use "minio", the store of this server'],
    [18, 16, null],
    [18, 28, 'did you mean "suffix"?'],
    [23, 11, 'did you mean "endpoint"?'],
  ]);
  const error = fdlError("bad.yaml", problems);
  expect(error.code).toBe("FDL_INVALID");
  expect(error.message).toContain(
    '\n  bad.yaml:5:7: functions.oscar[0].local.memroy: unknown key "memroy" (did you mean "memory"?)',
  );
});

test("providers outside are refused, each at its line", () => {
  expect(
    parseText(fixtureText("outside-storage.yaml")).problems.map(({ line, message }) => `${line} ${message}`),
  ).toEqual([
    '9 this server takes no files from the outside provider "webdav.dcache" yet',
    '11 this server takes no files from the outside provider "rucio.scope" yet',
    '14 this server delivers no files to the outside provider "s3.backup" yet',
    '16 this server delivers no files to the outside provider "onedata.space" yet',
    '18 this server delivers no files to the outside provider "minio.other" yet',
  ]);
});

test.each([
  [
    "a service right below functions",
    "functions:\n  cowsay:\n    image: x\n    script: s.sh\n",
    '2:3 functions.cowsay: unknown key "cowsay"',
  ],
  [
    "an unknown top key",
    "functions:\n  oscar:\n  - l: {name: s, script: s}\nfuncs: 1\n",
    '4:1 funcs: unknown key "funcs"',
  ],
  ["no functions", "clusters: {}\n", '1:1 : the key "functions" is missing'],
  ["no services", "functions:\n  oscar: []\n", "2:3 functions.oscar: there are no services"],
  ["no oscar", "functions: {}\n", '1:1 functions: the key "oscar" is missing'],
  ["a map for the list", "functions:\n  oscar:\n    local: {name: s}\n", "2:3 functions.oscar: oscar holds no list"],
  ["a text", "hello\n", "1:1 : the file is no map"],
  ["nothing", "", "1:1 : the file holds no functions"],
  ["an empty service", "functions:\n  oscar:\n  - local:\n", '3:5 functions.oscar[0].local: "local" holds no service'],
  [
    "a service that is not indented",
    "functions:\n  oscar:\n  - local:\n    name: s\n    script: s.sh\n",
    "3:5 functions.oscar[0]: keys of a service stand beside the cluster id: name, script",
  ],
  ["a list entry without a map", "functions:\n  oscar:\n  - local\n", "3:5 functions.oscar[0]: the entry is no map"],
  [
    "no name",
    "functions:\n  oscar:\n  - local: {script: s}\n",
    '3:5 functions.oscar[0].local: the key "name" is missing',
  ],
])("%s is told once", (_, text, problem) => {
  expect(told(text)).toEqual([problem]);
});

test.each([
  ["a duplicate key", service("memory: 1Gi\nmemory: 2Gi"), "7:7"],
  ["a tab", "functions:\n\toscar: []\n", "2:1"],
  ["bytes that are no UTF-8", Buffer.from([...Buffer.from("functions: # caf"), 0xe9, 0x0a]), "1:17"],
  [
    "a billion laughs",
    `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi".replace(/./g, (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)},`.repeat(9)}]\n`)}`,
    "1:",
  ],
  ["endless nesting", "[".repeat(50_000), "1:65"],
])("hostile YAML is told with its place: %s", (_, text, place) => {
  const [first] = told(text);
  expect(first?.startsWith(place), first).toBe(true);
});

test("the same service twice is a mistake, unless for another cluster", () => {
  const one = (cluster: string) => `  - ${cluster}: {name: s, script: s.sh}\n`;
  expect(told(`functions:\n  oscar:\n${one("local")}${one("local")}`)).toEqual([
    '4:19 functions.oscar[1].local.name: the service "s" stands here a second time',
  ]);
  expect(told(`functions:\n  oscar:\n${one("a")}${one("b")}`)).toEqual([]);
  expect(told(`functions:\n  oscar:\n${one("a")}---\nfunctions:\n  oscar:\n${one("a")}`)).toHaveLength(1);
});

test("several documents are several files in one", () => {
  const text = `${fixtureText("cowsay.yaml")}---\n${fixtureText("pictures.yaml")}`;
  expect(parseText(text).services.map(({ spec }) => spec.name)).toEqual(["cowsay", "thumbnails"]);
});

test("a loop of ours is refused with its way round, an old file is warned", () => {
  const ours = service("input: [{path: photos/in}]\noutput: [{path: photos/in/done}]");
  expect(told(ours)).toEqual(["7:7 functions.oscar[0].local.output: its outputs can feed its own input"]);
  expect(parseText(ours).problems[0]?.code).toBe("SERVICE_LOOP");
  const allowed = parseText(fixtureText("crawler.yaml"));
  expect(allowed.problems).toEqual([]);
  const old = parseText(service("image: alpine\ninput: [{path: photos/in}]\noutput: [{path: photos/in}]"));
  expect(old.problems).toEqual([]);
  expect(old.services[0]?.warnings).toEqual([expect.stringContaining("feed its own input")]);
});

test("scripts are read beside the file; what is none is told", () => {
  const files: Record<string, string | Uint8Array> = {
    "crlf.sh": "\uFEFF#!/bin/sh\r\necho a\rb\r\n",
    "empty.sh": " \n",
    "binary.sh": Buffer.from([0x23, 0x21, 0xff]),
    "nul.sh": "echo \0",
    "huge.sh": `#${"x".repeat(1024 * 1024)}`,
  };
  const parse = (script: string) =>
    parseFdl(`functions: {oscar: [{local: {name: s, script: ${script}}}]}`, {
      fileName: "f.yaml",
      readFile: (path) => files[path] ?? null,
      server: ANY_SERVER,
    });
  expect(parse("crlf.sh").services[0]?.spec.script).toBe("#!/bin/sh\necho a\nb\n");
  expect(parse("none.sh").problems[0]?.message).toBe('no file "none.sh" beside f.yaml');
  expect(parse("empty.sh").problems[0]?.message).toBe("empty.sh: the script is empty");
  expect(parse("binary.sh").problems[0]?.message).toBe("binary.sh: the script is not valid UTF-8 (line 1, column 3)");
  expect(parse("nul.sh").problems[0]?.message).toContain("NUL");
  expect(parse("huge.sh").problems[0]?.message).toContain("1048577 bytes");
  expect(parse('"#!/bin/sh\\necho"').problems[0]?.message).toBe("the script stands in the file itself");
});

test("what this server cannot do is refused with a code", () => {
  const codes = (body: string) =>
    parseText(service(body), SMALL_SERVER).problems.map(({ code, line }) => `${line} ${code}`);
  expect(codes("image: alpine")).toEqual(["6 IMAGE_UNSUPPORTED"]);
  expect(codes("network: host")).toEqual(["6 NETWORK_UNSUPPORTED"]);
  expect(codes("cpu: 3\nmemory: 8Gi\nenable_gpu: true")).toEqual([
    "6 RESOURCES_TOO_LARGE",
    "7 RESOURCES_TOO_LARGE",
    "8 RESOURCES_TOO_LARGE",
  ]);
  expect(codes("timeout: 2h")).toEqual(["6 SERVICE_INVALID"]);
  expect(codes("network: outbound\ncpu: 2\ntimeout: 1h")).toEqual([]);
});
