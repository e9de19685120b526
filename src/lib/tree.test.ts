import { expect, test } from "vitest";
import { readYaml } from "./read-yaml.ts";
import { jsonOf, locate, MAX_TREE_DEPTH, showPath, type TreeNode, treeOf } from "./tree.ts";

function only(text: string): TreeNode {
  const { documents, problems } = readYaml(text);
  expect(problems).toEqual([]);
  const [tree] = documents;
  if (!tree) throw new Error("no document");
  return tree;
}

test("JSON goes through a tree unchanged, with odd keys as own properties", () => {
  const value = JSON.parse('{"a":[1,"x",true,null,{"b":{}}],"__proto__":{"c":1},"":2}');
  const back = jsonOf(treeOf(value));
  expect(back).toEqual(value);
  expect(Object.hasOwn(Object(back), "__proto__")).toBe(true);
  expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
});

test("what JSON has no word for counts as null, and too deep a value is cut", () => {
  expect(jsonOf(treeOf({ a: undefined, b: () => 1 }))).toEqual({ a: null, b: null });
  let deep: unknown = "bottom";
  for (let i = 0; i < 10_000; i += 1) deep = [deep];
  let depth = 0;
  for (let node = treeOf(deep); node.kind === "list" && node.items[0]; node = node.items[0]) depth += 1;
  expect(depth).toBe(MAX_TREE_DEPTH + 1);
});

test("values, keys and what is missing are located", () => {
  const tree = only("a:\n  b: 1\n  list:\n  - x\n  - {y: 2}\n");
  expect(locate(tree, ["a", "b"])).toEqual({ line: 2, column: 6 });
  expect(locate(tree, ["a", "b"], "key")).toEqual({ line: 2, column: 3 });
  expect(locate(tree, ["a", "list", 1, "y"])).toEqual({ line: 5, column: 9 });
  expect(locate(tree, ["a", "list", 7])).toEqual({ line: 3, column: 3 });
  expect(locate(tree, ["a", "missing", "below"])).toEqual({ line: 1, column: 1 });
  expect(locate(tree, ["a", "b", "c"])).toEqual({ line: 2, column: 6 });
  expect(locate(tree, [])).toEqual({ line: 1, column: 1 });
});

test("a map or list value is pointed at by its key", () => {
  expect(locate(only("a:\n  b:\n    c: 1\n"), ["a", "b"])).toEqual({ line: 2, column: 3 });
});

test("paths read as in code", () => {
  expect(showPath(["functions", "oscar", 0, "local", "input", 2, "path"])).toBe(
    "functions.oscar[0].local.input[2].path",
  );
  expect(showPath([])).toBe("");
});
