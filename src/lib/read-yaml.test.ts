import { expect, test } from "vitest";
import { MAX_YAML_LENGTH, readYaml } from "./read-yaml.ts";
import { jsonOf } from "./tree.ts";

const values = (text: string) => {
  const { documents, problems } = readYaml(text);
  expect(problems).toEqual([]);
  return documents.map(jsonOf);
};

/** `line:column message` of each problem. */
const faults = (text: string) => readYaml(text).problems.map(({ at, message }) => `${at.line}:${at.column} ${message}`);

test("documents become values; empty ones are left out", () => {
  expect(values("a: 1\nb: [x, true, ~, 1.5]\n---\n---\nc: 'yes'\n")).toEqual([
    { a: 1, b: ["x", true, null, 1.5] },
    { c: "yes" },
  ]);
  expect(values("")).toEqual([]);
  expect(values("# only a comment\n")).toEqual([]);
  expect(values("\uFEFFa: 1\r\nb: 2\r\n")).toEqual([{ a: 1, b: 2 }]);
});

test("a scalar keeps how it was written", () => {
  const [tree] = readYaml("a: 1.0\nb: 0755\nc: '010'\n").documents;
  if (tree?.kind !== "map") throw new Error("no map");
  const texts = [...tree.entries.values()].map(({ value }) => (value.kind === "scalar" ? value.text : null));
  expect(texts).toEqual(["1.0", "0755", "010"]);
});

test("aliases are copies and merge keys fill in what is missing", () => {
  expect(values("a: &x {n: 1, m: 2}\nb: *x\nc:\n  <<: *x\n  m: 3\nd:\n  <<: [{m: 9}, *x]\n")).toEqual([
    { a: { n: 1, m: 2 }, b: { n: 1, m: 2 }, c: { m: 3, n: 1 }, d: { m: 9, n: 1 } },
  ]);
  expect(faults("a:\n  <<: 5\n")).toEqual(["2:7 a merge key takes a map or a list of maps"]);
  expect(faults("a: *nowhere\n")[0]).toContain("1:4");
});

test("every duplicate key is told, and the first one stays", () => {
  const { documents, problems } = readYaml("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
  expect(problems.map(({ at, path }) => [at.line, at.column, path.join(".")])).toEqual([
    [4, 3, "b.c"],
    [5, 1, "a"],
  ]);
  expect(jsonOf(documents[0] ?? { kind: "list", at: { line: 0, column: 0 }, items: [] })).toEqual({
    a: 1,
    b: { c: 1 },
  });
});

test("syntax faults come all at once with their places, and then there is no document", () => {
  const { documents, problems } = readYaml("a:\n\tb: 1\nc: 'open\n");
  expect(documents).toEqual([]);
  expect(problems.length).toBeGreaterThanOrEqual(2);
  expect(problems[0]).toMatchObject({ at: { line: 2, column: 1 }, suggestion: "indent with spaces" });
});

test("own tags and keys that are no text are refused", () => {
  expect(faults("a: !!python/object:os.system {}\n")[0]).toMatch(/^1:4 /);
  expect(faults("a: !!binary aGk=\n")).toEqual(["1:13 the tag tag:yaml.org,2002:binary is not taken"]);
  expect(faults("? [a, b]\n: 1\n")).toEqual(["1:3 a key must be a plain text"]);
});

test.each([
  ["a billion laughs", `a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n${laughs(9)}`],
  ["an anchor that holds itself", "a: &a [*a, *a, *a]\n"],
  ["an anchor that merges itself", "a: &a\n  b:\n    <<: *a\n    c: *a\n"],
])("%s is refused with one problem", (_, text) => {
  expect(faults(text)).toHaveLength(1);
  expect(faults(text)[0]).toContain("once its aliases are expanded");
});

function laughs(levels: number): string {
  const line = (n: number) =>
    `a${n}: &a${n} [${Array(10)
      .fill(`*a${n - 1}`)
      .join(",")}]\n`;
  return Array.from({ length: levels }, (_, n) => line(n + 1)).join("");
}

test.each([
  ["flow", "[".repeat(100_000)],
  ["closed flow", `${"[".repeat(1000)}${"]".repeat(1000)}`],
  ["block", Array.from({ length: 300 }, (_, n) => `${" ".repeat(n)}a:\n`).join("")],
  ["dashes", "- ".repeat(50_000)],
  ["question marks", "? ".repeat(50_000)],
])("deep nesting by %s is refused with one problem", (_, text) => {
  expect(faults(text)).toHaveLength(1);
  expect(faults(text)[0]).toContain("nested more than 64 levels");
});

test("what is too long or binary is refused before it is parsed", () => {
  expect(faults(`a: ${"x".repeat(MAX_YAML_LENGTH)}`)[0]).toContain("too long");
  expect(faults("a: 1\nb: \0\n")).toEqual(["2:4 it holds a NUL character: this is no text file"]);
});

test("of very many faults the first fifty are told", () => {
  expect(faults("}".repeat(10_000))).toHaveLength(50);
});

test("keys named like object internals are ordinary", () => {
  const [value] = values("__proto__: 1\nconstructor: 2\n");
  expect(Object.entries(value ?? {})).toEqual([
    ["__proto__", 1],
    ["constructor", 2],
  ]);
});
