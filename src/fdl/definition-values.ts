import { parseDuration } from "../lib/duration.ts";
import type { Json, JsonObject } from "../lib/tree.ts";

/** Reads typed values out of a checked definition. The key table has checked the types, so a value of another type was told as a mistake
 *  and counts as not given here. */
export function textIn(definition: JsonObject, key: string): string | null {
  const value = definition[key];
  return typeof value === "string" ? value : null;
}

export function booleanIn(definition: JsonObject, key: string): boolean {
  return definition[key] === true;
}

export function integerIn(definition: JsonObject, key: string): number | null {
  const value = definition[key];
  return typeof value === "number" ? value : null;
}

/** Milliseconds. */
export function durationIn(definition: JsonObject, key: string): number | null {
  const text = textIn(definition, key);
  return text === null ? null : parseDuration(text);
}

export function textsIn(definition: JsonObject, key: string): string[] {
  return listIn(definition, key).filter((item) => typeof item === "string");
}

function listIn(definition: JsonObject, key: string): Json[] {
  const value = definition[key];
  return Array.isArray(value) ? value : [];
}

export function sectionIn(definition: JsonObject, key: string): JsonObject {
  const value = definition[key];
  return isObject(value) ? value : {};
}

export function sectionsIn(definition: JsonObject, key: string): JsonObject[] {
  return listIn(definition, key).filter(isObject);
}

export function textMapIn(definition: JsonObject, key: string): Record<string, string> {
  const pairs = Object.entries(sectionIn(definition, key)).filter((pair) => typeof pair[1] === "string");
  return Object.fromEntries(pairs.map(([name, value]) => [name, String(value)]));
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
