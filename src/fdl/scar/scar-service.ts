import type { Json, JsonObject, Path } from "../../lib/tree.ts";
import { booleanIn, integerIn, isObject, sectionIn, sectionsIn, textIn } from "../definition-values.ts";
import type { SectionName } from "../key-row.ts";
import { KEY_TABLE } from "../key-table.ts";
import { DEFAULT_BATCH_MIB, DEFAULT_LAMBDA_MIB } from "./scar-keys.ts";

/** A function of SCAR's as a service of OSCAR's. */
export interface TranslatedFunction {
  /** Keys of a service; `script` is its path. */
  readonly definition: JsonObject;
  /** Where the value of one of these keys stands in the function. */
  readonly places: ReadonlyMap<string, Path>;
}

/** What of a function says how much a job gets. */
interface Limits {
  readonly mode: string;
  readonly lambdaMiB: number;
  readonly batchMiB: number;
  readonly batchCores: number;
  readonly batchGpu: boolean;
  readonly timeoutSeconds: number | null;
}

/** @param read a section `aws function` */
export function fromAwsFunction(read: JsonObject): TranslatedFunction {
  const lambda = sectionIn(read, "lambda");
  const container = sectionIn(lambda, "container");
  const batch = sectionIn(read, "batch");
  const isOnBatch = modeOf(lambda) !== "lambda";
  return {
    definition: given({
      name: lambda.name,
      image: imageOf(container),
      ...commonKeys(lambda),
      ...limitKeys({
        mode: modeOf(lambda),
        lambdaMiB: integerIn(lambda, "memory") ?? DEFAULT_LAMBDA_MIB,
        batchMiB: integerIn(batch, "memory") ?? DEFAULT_BATCH_MIB,
        batchCores: integerIn(batch, "vcpus") ?? 1,
        batchGpu: booleanIn(batch, "enable_gpu"),
        timeoutSeconds: integerIn(lambda, "timeout"),
      }),
      environment: container.environment,
      input: sectionsIn(lambda, "input").map(inOwnStore),
      output: sectionsIn(lambda, "output").map(inOwnStore),
    }),
    places: new Map<string, Path>([
      ["", ["lambda"]],
      ["image", ["lambda", "container", ...imageKey(container)]],
      ["script", ["lambda", "init_script" in lambda ? "init_script" : "run_script"]],
      ["environment", ["lambda", "container", "environment"]],
      ["cpu", ["batch", "vcpus"]],
      ["enable_gpu", ["batch", "enable_gpu"]],
      ...(isOnBatch && integerIn(batch, "memory") !== null ? [["memory", ["batch", "memory"]] as const] : []),
    ]),
  };
}

/** @param name of the function, which stands above it @param read a section `scar function` */
export function fromFirstFunction(name: string, read: JsonObject): TranslatedFunction {
  const { input_bucket: from, output_bucket: to } = sectionIn(read, "s3");
  const input = typeof from === "string" ? from : null;
  const output = typeof to === "string" ? to : (input?.split("/").find((part) => part !== "") ?? null);
  const isOnBatch = modeOf(read) !== "lambda";
  return {
    definition: given({
      name,
      image: imageOf(read),
      ...commonKeys(read),
      ...limitKeys({
        mode: modeOf(read),
        lambdaMiB: integerIn(read, "memory") ?? DEFAULT_LAMBDA_MIB,
        batchMiB: integerIn(read, "batch_memory") ?? DEFAULT_BATCH_MIB,
        batchCores: integerIn(read, "batch_vcpus") ?? 1,
        batchGpu: booleanIn(read, "enable_gpu"),
        timeoutSeconds: integerIn(read, "time"),
      }),
      environment: { variables: variablesOf(read.environment) },
      input: input === null ? [] : [{ path: folderOr(input, `${name}/input`) }],
      output: output === null ? [] : [{ path: folderOr(output, `${name}/output`) }],
    }),
    places: new Map<string, Path>([
      ["image", imageKey(read)],
      ["script", ["init_script" in read ? "init_script" : "run_script"]],
      ["cpu", ["batch_vcpus"]],
      ["timeout", ["time"]],
      ["input", ["s3", "input_bucket"]],
      ["output", ["s3", typeof to === "string" ? "output_bucket" : "input_bucket"]],
      ...(isOnBatch && integerIn(read, "batch_memory") !== null ? [["memory", ["batch_memory"]] as const] : []),
    ]),
  };
}

/** Names of what was written and means nothing outside of AWS, each with its section's. */
export function keysOfAws(read: JsonObject, section: SectionName, above = ""): string[] {
  return KEY_TABLE[section].flatMap(({ key, type, effect }) => {
    const value = read[key];
    if (value === undefined) return [];
    if (effect === "aws") return [`${above}${key}`];
    return type.is === "section" && isObject(value) ? keysOfAws(value, type.section, `${above}${key}.`) : [];
  });
}

const modeOf = (read: JsonObject): string => textIn(read, "execution_mode") ?? "lambda";

function imageOf(read: JsonObject): Json | undefined {
  const file = textIn(read, "image_file");
  return read.image ?? (file === null ? undefined : `file:${file}`);
}

/** Which of the two names the image. */
const imageKey = (read: JsonObject): Path => ["image", "image_file"].filter((key) => key in read).slice(0, 1);

function commonKeys(read: JsonObject): Record<string, Json | undefined> {
  const isPreheated = booleanIn(read, "preheat");
  return {
    script: read.init_script ?? read.run_script,
    log_level: read.log_level,
    ...(isPreheated ? { image_prefetch: true, synchronous: { min_scale: 1 } } : {}),
  };
}

function limitKeys(limits: Limits): Record<string, Json | undefined> {
  const { mode, lambdaMiB, batchMiB, batchCores, batchGpu, timeoutSeconds } = limits;
  if (mode === "lambda") {
    return { memory: `${lambdaMiB}Mi`, ...(timeoutSeconds === null ? {} : { timeout: String(timeoutSeconds) }) };
  }
  const memory = mode === "batch" ? batchMiB : Math.max(lambdaMiB, batchMiB);
  return { memory: `${memory}Mi`, cpu: String(batchCores), enable_gpu: batchGpu };
}

/** On AWS `s3` is the account's own store; here that is the server's. A bucket alone is a whole one. */
function inOwnStore(entry: JsonObject): JsonObject {
  const provider = textIn(entry, "storage_provider") ?? "s3";
  const path = textIn(entry, "path");
  return {
    ...entry,
    storage_provider: /^s3(\.default)?$/i.test(provider.trim()) ? "minio.default" : provider,
    ...(path === null || path.includes("/") ? {} : { path: `${path}/` }),
  };
}

const folderOr = (path: string, folder: string): string => {
  const bare = path.replace(/^\/+|\/+$/g, "");
  return bare.includes("/") ? bare : `${bare}/${folder}`;
};

/** `{A: 1}`, `{Variables: {A: 1}}` and `[A=1]` have been seen. */
function variablesOf(written: Json | undefined): JsonObject {
  if (Array.isArray(written)) {
    const texts = written.filter((item) => typeof item === "string");
    return Object.fromEntries(texts.map((text) => [text.split("=", 1)[0] ?? "", text.replace(/^[^=]*=?/, "")]));
  }
  if (!isObject(written)) return {};
  const inner = written.Variables ?? written.variables;
  return isObject(inner) ? inner : written;
}

function given(keys: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(keys).filter((pair): pair is [string, Json] => pair[1] !== undefined));
}
