import { nearest } from "../lib/nearest.ts";
import { type Json, type JsonObject, showPath } from "../lib/tree.ts";
import { FIELDS } from "./fields.ts";

/** Values from one place, and where each of them stands for messages. */
export interface Source {
  readonly values: JsonObject;
  readonly problems: readonly string[];
  /** `/etc/sluice.yaml:3:7`, `environment SLUICE_PORT`, `flag --port`; null when the value is not from here. */
  where(path: readonly string[]): string | null;
}

/** Variables that belong to others: clients, tests, and this program's own child processes. */
const OTHER_VARIABLES = [
  "SLUICE_CONFIG",
  "SLUICE_ENDPOINT",
  "SLUICE_TOKEN",
  "SLUICE_S3_ENDPOINT",
  "SLUICE_DEBUG",
  "SLUICE_CRASH_AT",
  "SLUICE_VISIBLE_DATA",
];

/** `SLUICE_…` variables; an empty one counts as not given. One that nearly names a field is a slip and is told, other strangers are left
 *  alone: Kubernetes itself sets SLUICE_PORT=tcp://… in every pod beside a service of that name. */
export function environmentSource(env: Readonly<Record<string, string | undefined>>): Source {
  const given = Object.entries(env).flatMap(([name, value]) => {
    const mine = value !== undefined && value !== "" && !/^tcp:\/\//.test(value);
    return mine ? [[name, value] as const] : [];
  });
  const fields = new Map(FIELDS.map((field) => [field.env, field]));
  const known = [...fields.keys(), ...OTHER_VARIABLES];
  const strangers = given.filter(([name]) => name.startsWith("SLUICE_") && !known.includes(name));
  const problems = strangers.flatMap(([name]) => {
    const near = nearest(
      name.slice("SLUICE_".length),
      [...fields.keys()].map((key) => key.slice("SLUICE_".length)),
    );
    const slip = near !== null && !/^SLUICE_(PORT|SERVICE)_/.test(name);
    return slip ? [`environment ${name}: unknown variable (did you mean SLUICE_${near}?)`] : [];
  });
  const mine = given.flatMap(([name, value]) => {
    const field = fields.get(name);
    return field ? [{ path: field.path, value, where: `environment ${name}` }] : [];
  });
  return { ...listed(mine), problems };
}

/** Flags of `sluice up` by their names without dashes in front; those that are no field are for the command itself. */
export function flagSource(flags: Readonly<Record<string, unknown>>): Source {
  const given = FIELDS.filter((field) => !field.envOnly && field.path.length === 1).flatMap((field) => {
    const name = field.name.replaceAll("_", "-");
    const value = flags[name];
    return typeof value === "string" || typeof value === "boolean"
      ? [{ path: field.path, value, where: `flag --${name}` }]
      : [];
  });
  return { ...listed(given), problems: [] };
}

interface Given {
  readonly path: readonly string[];
  readonly value: string | boolean;
  readonly where: string;
}

function listed(given: readonly Given[]): Pick<Source, "values" | "where"> {
  const places = new Map(given.map(({ path, where }) => [showPath(path), where]));
  const values = given.reduce<JsonObject>((all, { path, value }) => merged(all, nested(path, value)), {});
  return { values, where: (path) => places.get(showPath(path)) ?? null };
}

function nested([key = "", ...rest]: readonly string[], value: Json): JsonObject {
  return { [key]: rest.length === 0 ? value : nested(rest, value) };
}

/** `over` on top of `under`, section by section. */
export function merged(under: JsonObject, over: JsonObject): JsonObject {
  const all = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = all.get(key);
    all.set(key, isObject(below) && isObject(value) ? merged(below, value) : value);
  }
  return Object.fromEntries(all);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
