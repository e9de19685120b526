import type { Service } from "../core/service.ts";
import type { Json, JsonObject } from "../lib/tree.ts";
import { isObject } from "./definition-values.ts";
import type { SectionName, ValueType } from "./key-row.ts";
import { KEY_TABLE } from "./key-table.ts";

/** A copy of a checked definition that may be shown: without the script, every secret an empty text. */
export function withoutSecrets(definition: JsonObject, section: SectionName): JsonObject {
  const rows = KEY_TABLE[section].filter((row) => row.key !== "script" && definition[row.key] !== undefined);
  return Object.fromEntries(rows.map((row) => [row.key, blanked(definition[row.key] ?? null, row.type)]));
}

function blanked(value: Json, type: ValueType): Json {
  if (type.is === "secret") return "";
  if (type.is === "secret map") return isObject(value) ? mapped(value, () => "") : {};
  if (type.is === "section") return isObject(value) ? withoutSecrets(value, type.section) : {};
  if (type.is === "section map") {
    return isObject(value) ? mapped(value, (one) => (isObject(one) ? withoutSecrets(one, type.section) : {})) : {};
  }
  if (type.is === "sections") {
    return Array.isArray(value) ? value.filter(isObject).map((one) => withoutSecrets(one, type.section)) : [];
  }
  return value;
}

function mapped(value: JsonObject, change: (one: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(one)]));
}

/** The service with the secrets of the one before it where its own are empty texts: a client that got a definition, changed it and
 *  sends it back never saw them. */
export function withKeptSecrets(spec: Service, before: Service): Service {
  const kept = Object.entries(spec.secrets).map(([name, value]) => [
    name,
    value === "" ? (before.secrets[name] ?? "") : value,
  ]);
  return { ...spec, secrets: Object.fromEntries(kept) };
}
