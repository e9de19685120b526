import { readYaml } from "../lib/read-yaml.ts";
import { type Json, type JsonObject, jsonOf, locate, type TreeNode } from "../lib/tree.ts";
import { isObject, type Source } from "./sources.ts";

/** A YAML file. Keys without a value count as not given. */
export function fileSource(name: string, text: string): Source {
  const { documents, problems } = readYaml(text);
  const told = problems.map(({ at, message, suggestion }) => {
    return `${name}:${at.line}:${at.column}: ${message}${suggestion === null ? "" : ` (${suggestion})`}`;
  });
  const [root, second] = documents;
  if (second) told.push(`${name}:${second.at.line}:${second.at.column}: a second document stands here (one is read)`);
  if (root && root.kind !== "map") told.push(`${name}:1:1: the file is no map of fields`);
  const values = root?.kind === "map" ? objectOf(root) : {};
  return {
    values: withoutSecrets(values, name, told),
    problems: told,
    where: (path) => (root && has(values, path) ? `${name}:${place(root, path)}` : null),
  };
}

/** Secrets stay out of files, which get copied and shown; nothing of them is repeated. */
function withoutSecrets(values: JsonObject, name: string, told: string[]): JsonObject {
  if (!Object.hasOwn(values, "admin")) return values;
  told.push(`${name}: admin: credentials are taken from the environment alone (set SLUICE_ADMIN_USER and the like)`);
  return Object.fromEntries(Object.entries(values).filter(([key]) => key !== "admin"));
}

function objectOf(root: TreeNode): JsonObject {
  const value = withoutNulls(jsonOf(root));
  return isObject(value) ? value : {};
}

function withoutNulls(value: Json): Json {
  if (!isObject(value)) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutNulls(inner)]));
}

function place(root: TreeNode, path: readonly string[]): string {
  const { line, column } = locate(root, path, "key");
  return `${line}:${column}`;
}

function has(values: JsonObject, path: readonly string[]): boolean {
  let at: Json | undefined = values;
  for (const key of path) {
    if (!isObject(at) || !Object.hasOwn(at, key)) return false;
    at = at[key];
  }
  return true;
}
