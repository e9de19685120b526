import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { resolve } from "node:path";
import type { z } from "zod";
import { SluiceError } from "../core/errors.ts";
import { nearest } from "../lib/nearest.ts";
import { decodeUtf8 } from "../lib/utf8.ts";
import type { Config, Machine } from "./config.ts";
import { FIELDS } from "./fields.ts";
import { conflictsIn, resolveConfig } from "./resolve.ts";
import { CONFIG_SCHEMA } from "./schema.ts";
import { environmentSource, flagSource, merged, type Source } from "./sources.ts";

export interface ConfigSources {
  /** Of `sluice up`, by their names (`s3-port`). `config` names the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths count from here. Default: the working directory. */
  readonly cwd?: string;
  /** Default: this machine. */
  readonly machine?: Machine;
}

/** The server's settings: file (`--config`, else SLUICE_CONFIG) < environment < flags, defaults below. Deeply frozen.
 *  @throws SluiceError CONFIG_INVALID with every problem, each with the line, variable or flag it comes from; no secret is shown */
export async function loadConfig({
  flags,
  env,
  cwd = process.cwd(),
  machine = thisMachine(),
}: ConfigSources): Promise<Config> {
  const sources = [
    ...(await readFileSource(flags.config ?? env.SLUICE_CONFIG, cwd)),
    environmentSource(env),
    flagSource(flags),
  ];
  const values = sources.map((source) => source.values).reduce(merged, {});
  const parsed = CONFIG_SCHEMA.safeParse(values);
  const problems = sources.flatMap((source) => source.problems);
  if (!parsed.success) throw invalid([...problems, ...parsed.error.issues.flatMap((issue) => told(issue, sources))]);
  const config = resolveConfig(parsed.data, machine, cwd);
  for (const { field, message } of conflictsIn(config)) problems.push(sentence(field.split("."), message, sources));
  if (problems.length > 0) throw invalid(problems);
  return frozen(config);
}

/** Cores and memory that this process may use: a container's limits count. */
function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  const total = totalmem();
  return { cores: availableParallelism(), memoryBytes: limit > 0 && limit < total ? limit : total };
}

/** The YAML reader costs 14 MB of memory: a server without a file does without. */
async function readFileSource(name: unknown, cwd: string): Promise<Source[]> {
  if (typeof name !== "string" || name === "") return [];
  let content: Buffer;
  try {
    content = readFileSync(resolve(cwd, name));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
    throw new SluiceError("CONFIG_INVALID", `Cannot read the configuration ${name}: ${why}`, { cause: error });
  }
  const decoded = decodeUtf8(content);
  if ("text" in decoded) return [(await import("./file-source.ts")).fileSource(name, decoded.text)];
  throw invalid([`${name}:${decoded.wrongAt.line}:${decoded.wrongAt.column}: the file is not valid UTF-8`]);
}

function told(issue: z.core.$ZodIssue, sources: readonly Source[]): string[] {
  const path = issue.path.map(String);
  if (issue.code !== "unrecognized_keys") {
    const message = issue.code === "invalid_type" ? "a map of fields belongs here" : issue.message;
    return [sentence(path, message, sources)];
  }
  return issue.keys.map((key) => {
    const near = nearestField([...path, key].join("."));
    const cure = near === null ? "" : ` (did you mean "${near}"?)`;
    return sentence([...path, key], `unknown key "${key}"${cure}`, sources);
  });
}

/** By full name first (`local.slot`), then by the last part, for a key that stands in the wrong section. */
function nearestField(name: string): string | null {
  const names = FIELDS.filter((field) => !field.envOnly).map((field) => field.name);
  const sections = names.filter((field) => field.includes(".")).map((field) => field.slice(0, field.indexOf(".")));
  const last = name.split(".").at(-1) ?? "";
  return nearest(name, [...names, ...sections]) ?? names.find((field) => field.endsWith(`.${last}`)) ?? null;
}

/** `sluice.yaml:3:1: port: "x" is no whole number …` */
function sentence(path: readonly string[], message: string, sources: readonly Source[]): string {
  const where = sources
    .toReversed()
    .map((source) => source.where(path))
    .find((place) => place !== null);
  const text = `${path.join(".")}: ${message}`;
  return where === undefined ? text : `${where}: ${text}`;
}

function invalid(problems: readonly string[]): SluiceError {
  const [only] = problems;
  const text = problems.length === 1 ? ` ${only}` : problems.map((problem) => `\n  ${problem}`).join("");
  return new SluiceError("CONFIG_INVALID", `Cannot use the configuration:${text}`, {
    details: { problems: [...problems] },
  });
}

function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}
