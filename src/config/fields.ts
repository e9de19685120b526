import { z } from "zod";
import { type FieldFacts, factsOf } from "./field.ts";
import { CONFIG_SCHEMA } from "./schema.ts";

/** One field of the schema, as every source names it. */
export interface Field {
  /** `local.slots` */
  readonly name: string;
  readonly path: readonly string[];
  /** `SLUICE_LOCAL_SLOTS` */
  readonly env: string;
  /** True for secrets and the names beside them, which no file holds: files get copied and shown. */
  readonly envOnly: boolean;
  readonly facts: FieldFacts;
}

/** Names that are older than the rule. */
const ENV_NAMES: Readonly<Record<string, string>> = {
  "admin.access_key": "SLUICE_ACCESS_KEY",
  "admin.secret_key": "SLUICE_SECRET_KEY",
};

/** Every field of the schema, in its order. */
export const FIELDS: readonly Field[] = fieldsIn(CONFIG_SCHEMA, []);

function fieldsIn(schema: z.ZodObject, path: readonly string[]): Field[] {
  return Object.entries(schema.shape).flatMap(([key, inner]) => {
    const below = [...path, key];
    const facts = factsOf(inner);
    if (facts) return [describeField(below, facts)];
    const unwrapped = inner instanceof z.ZodPrefault ? inner.unwrap() : inner;
    return unwrapped instanceof z.ZodObject ? fieldsIn(unwrapped, below) : [];
  });
}

function describeField(path: readonly string[], facts: FieldFacts): Field {
  const name = path.join(".");
  const env = ENV_NAMES[name] ?? `SLUICE_${path.join("_").toUpperCase()}`;
  return { name, path, env, envOnly: path[0] === "admin", facts };
}
