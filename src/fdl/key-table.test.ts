import { expect, test } from "vitest";
import { readYaml } from "../lib/read-yaml.ts";
import type { TreeNode } from "../lib/tree.ts";
import type { SectionName, ValueType } from "./key-row.ts";
import { KEY_TABLE, rowOf } from "./key-table.ts";
import { FIXTURES, fixtureText } from "./testing/fixture-files.ts";

const sections = Object.keys(KEY_TABLE).filter((name): name is SectionName => name in KEY_TABLE);

/** Calls `found` with `section.key` for every key of the table below a node. */
function collect(node: TreeNode, section: SectionName, found: (name: string) => void): void {
  if (node.kind !== "map") return;
  for (const [key, { value }] of node.entries) {
    const row = rowOf(section, key);
    if (!row) continue;
    found(`${section}.${row.key}`);
    collectValue(value, row.type, found);
  }
}

function collectValue(node: TreeNode, type: ValueType, found: (name: string) => void): void {
  if (type.is === "section") collect(node, type.section, found);
  const below =
    node.kind === "list" ? node.items : node.kind === "map" ? [...node.entries.values()].map((e) => e.value) : [];
  if (type.is === "sections" || type.is === "section map") for (const one of below) collect(one, type.section, found);
}

function child(node: TreeNode | undefined, key: string): TreeNode | undefined {
  return node?.kind === "map" ? node.entries.get(key)?.value : undefined;
}

function keysOf(file: string): Set<string> {
  const names = new Set<string>();
  for (const root of readYaml(fixtureText(file)).documents) {
    const functions = child(root, "functions");
    const services = child(functions, "oscar");
    for (const item of services?.kind === "list" ? services.items : []) {
      for (const { value } of item.kind === "map" ? item.entries.values() : [])
        collect(value, "service", (key) => names.add(key));
    }
    const lambdas = child(functions, "aws");
    for (const item of lambdas?.kind === "list" ? lambdas.items : [])
      collect(item, "aws function", (key) => names.add(key));
    for (const { value } of functions?.kind === "map" ? functions.entries.values() : [])
      collect(value, "scar function", (key) => names.add(key));
    collect(root, "service", (key) => names.add(key));
  }
  return names;
}

test("every key stands in at least two fixture files", () => {
  const files = FIXTURES.map(keysOf);
  const seldom = sections
    .flatMap((section) => KEY_TABLE[section].map(({ key }) => `${section}.${key}`))
    .filter((name) => files.filter((keys) => keys.has(name)).length < 2);
  expect(seldom).toEqual([]);
});

test("no key stands twice in a section, and every section is reached from a service or function", () => {
  for (const section of sections) {
    const keys = KEY_TABLE[section].map(({ key }) => key.toLowerCase());
    expect(new Set(keys).size, section).toBe(keys.length);
  }
  const reached = new Set<string>(["service", "aws function", "scar function"]);
  for (const section of sections) {
    for (const { type } of KEY_TABLE[section]) if ("section" in type) reached.add(type.section);
  }
  expect([...reached].sort()).toEqual([...sections].sort());
});

test("a key without effect says what is missing, and keys of ours never lack a meaning", () => {
  for (const row of sections.flatMap((section) => KEY_TABLE[section])) {
    expect(row.effect === "warns", row.key).toBe(row.lacks !== undefined);
    expect(row.means, row.key).not.toBe("");
    if (row.dialect === "sluice") expect(row.default, row.key).toBeUndefined();
  }
});

test("case does not matter, as in OSCAR", () => {
  expect(rowOf("environment", "Variables")?.key).toBe("variables");
  expect(rowOf("expose", "nodeport")?.key).toBe("nodePort");
  expect(rowOf("service", "memroy")).toBeUndefined();
  expect(rowOf("service", "__proto__")).toBeUndefined();
});
