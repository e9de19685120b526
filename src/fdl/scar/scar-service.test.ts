import { describe, expect, it, test } from "vitest";
import type { FdlService } from "../parse-fdl.ts";
import { toDefinition } from "../service-definition.ts";
import { fixtureText, parseText } from "../testing/fixture-files.ts";

function read(text: string): readonly FdlService[] {
  const { services, problems } = parseText(text);
  expect(problems).toEqual([]);
  return services;
}

/** The first service of a fixture by its name. */
function named(file: string, name: string): FdlService {
  const found = read(fixtureText(file)).find(({ spec }) => spec.name === name);
  if (found === undefined) throw new Error(`${file} has no ${name}`);
  return found;
}

const MIB = 1024 ** 2;
const place = ({ bucket, folder }: { bucket: string; folder: string }): string => `${bucket}/${folder}`;
const lambda = (body: string): string => `functions:\n  aws:\n  - lambda:\n${body.replace(/^/gm, "      ")}\n`;
const told = (text: string): string[] =>
  parseText(text).problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);

test("a function on Lambda and Batch is a service with all that can be had here", () => {
  const { spec, clusterId, full } = named("scar-everything.yaml", "sounds");
  expect(clusterId).toBe("local");
  expect(spec).toMatchObject({
    name: "sounds",
    image: "example/sounds:4.1",
    script: "echo sounds.sh\n",
    // Lambda's 1024 are fewer than Batch's.
    resources: { cpu: 4000, memory: 4096 * MIB, gpu: 1 },
    timeoutMs: null,
    logLevel: "DEBUG",
    variables: { LANGUAGE: "es", DEPTH: "3" },
    network: "outbound",
    imagePrefetch: true,
    minInstances: 1,
  });
  expect(spec.inputs).toMatchObject([
    { provider: "minio.default", bucket: "recordings", folder: "in", suffixes: ["wav"] },
  ]);
  expect(spec.outputs.map(place)).toEqual(["recordings/words", "archive/"]);
  expect(spec.outputs[0]).toMatchObject({ prefixes: ["result-"], suffixes: ["srt", "txt"] });
  expect(toDefinition({ spec, clusterId, full, warnings: [] })).toMatchObject({
    image: "example/sounds:4.1",
    memory: "4096Mi",
    synchronous: { min_scale: 1 },
  });
});

test("what has no effect outside of AWS is said in one sentence", () => {
  expect(named("scar-everything.yaml", "sounds").warnings).toEqual([
    'Service "sounds": it is written for AWS, which this server does not drive yet, and runs on this server; without effect here: ' +
      'lambda.description, lambda.layers, lambda.container.timeout_threshold, lambda.container.timeout_threshold", ' +
      "lambda.container.alpine, lambda.container.create_image, lambda.environment, lambda.boto_profile, lambda.region, lambda.runtime, " +
      "lambda.architectures, lambda.vpc, lambda.file_system, lambda.deployment, lambda.supervisor, lambda.asynchronous, " +
      "batch.boto_profile, batch.region, batch.service_role, batch.environment, batch.compute_resources, batch.multi_node_parallel, " +
      "iam, api_gateway, cloudwatch, ecr",
  ]);
  expect(named("scar-chain.yaml", "plain").warnings).toEqual([
    'Service "plain": it is written for AWS, which this server does not drive yet, and runs on this server',
  ]);
});

test("functions and services of one file follow each other", () => {
  const services = read(fixtureText("scar-everything.yaml"));
  expect(services.map(({ spec }) => spec.name)).toEqual(["sounds", "follows"]);
  const [split, look] = read(fixtureText("scar-chain.yaml")).map(({ spec }) => spec);
  expect(split?.outputs.map(place)).toEqual(look?.inputs.map(place));
  expect(split).toMatchObject({ resources: { cpu: 2000, memory: 2048 * MIB }, timeoutMs: null });
  expect(look).toMatchObject({
    image: "file:/images/look.tar",
    script: "echo look.sh\n",
    resources: { cpu: 200, memory: 3008 * MIB },
    timeoutMs: 60_000,
    minInstances: 0,
  });
});

test("SCAR's first files: buckets alone get folders of the function's name", () => {
  const [split, cow] = read(fixtureText("scar-first.yaml")).map(({ spec }) => spec);
  expect(split).toMatchObject({
    name: "scar-split",
    script: "echo split.sh\n",
    resources: { cpu: 2000, memory: 2048 * MIB, gpu: 1 },
    variables: { LANGUAGE: "es", EQUALS: "a=b" },
    imagePrefetch: true,
  });
  expect([split?.inputs.map(place), split?.outputs.map(place)]).toEqual([
    ["films/scar-split/input"],
    ["films/scar-split/frames"],
  ]);
  expect(cow).toMatchObject({ image: "file:cow.tar", inputs: [], outputs: [], resources: { memory: 512 * MIB } });
  const [look, write] = read(fixtureText("scar-first-chain.yaml")).map(({ spec }) => spec);
  expect(look).toMatchObject({ variables: { MODE: "quick" }, timeoutMs: 60_000, resources: { memory: 3008 * MIB } });
  expect(look?.outputs.map(place)).toEqual(write?.inputs.map(place));
  expect(write).toMatchObject({ variables: { FONT: "serif" } });
  expect(write?.outputs.map(place)).toEqual(["texts/scar-write/output"]);
});

describe("a mistake is told once, where it stands:", () => {
  it.each([
    ["no image", lambda("name: a"), '3:5 functions.aws[0].lambda.container: the key "image" is missing'],
    [
      "no image in the container",
      lambda("name: a\ncontainer: {alpine: true}"),
      '5:7 functions.aws[0].lambda.container: the key "image" is missing',
    ],
    ["no name", lambda("container: {image: a}"), '3:5 functions.aws[0].lambda: the key "name" is missing'],
    ["no function", "functions:\n  aws:\n  - iam: {}\n", '3:5 functions.aws[0]: the key "lambda" is missing'],
    ["no functions", "functions:\n  aws: []\n", "2:3 functions.aws: there are no functions"],
    ["a list entry without a map", "functions:\n  aws: [lambda]\n", "2:9 functions.aws[0]: the entry is no map"],
    [
      "a key with a slip",
      lambda("name: a\nmemroy: 128\ncontainer: {image: a}"),
      '5:7 functions.aws[0].lambda.memroy: unknown key "memroy"',
    ],
    [
      "a name of Lambda's that no service can have",
      lambda("name: My_Function\ncontainer: {image: a}"),
      expect.stringContaining('4:13 functions.aws[0].lambda.name: "My_Function" cannot name a service'),
    ],
    [
      "a store outside",
      lambda("name: a\ncontainer: {image: a}\noutput:\n- {storage_provider: onedata.x, path: abc/d}"),
      expect.stringContaining("7:28 functions.aws[0].lambda.output[0].storage_provider: this server delivers no files"),
    ],
    [
      "too little memory",
      lambda("name: a\ncontainer: {image: a}\nmemory: 1"),
      expect.stringContaining("6:15 functions.aws[0].lambda.memory: "),
    ],
    [
      "a variable that is none",
      lambda('name: a\ncontainer:\n  image: a\n  environment: {variables: {"1a": b}}'),
      expect.stringContaining("7:35 functions.aws[0].lambda.container.environment.variables.1a: "),
    ],
    [
      "no image in a first file",
      "functions:\n  cow:\n    init_script: a.sh\n",
      '2:3 functions.cow: the key "image" is missing',
    ],
    [
      "a bucket's name in a first file",
      "functions:\n  cow:\n    image: a\n    s3: {input_bucket: No}\n",
      expect.stringContaining("4:24 functions.cow.s3.input_bucket"),
    ],
  ])("%s", (_what, text, problem) => {
    expect(told(text)).toEqual([problem]);
  });
});
