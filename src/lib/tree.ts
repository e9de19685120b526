/** JSON as TypeScript sees it. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** Where something stands in a text; both count from 1, columns in UTF-16 units as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Keys and list indexes from the root of a tree. */
export type Path = readonly (string | number)[];

/** A document as maps, lists and scalars that know where they were written: made from YAML text by `readYaml`, from JSON by `treeOf`. */
export type TreeNode = TreeMap | TreeList | TreeScalar;

export interface TreeMap {
  readonly kind: "map";
  readonly at: Position;
  readonly entries: ReadonlyMap<string, TreeEntry>;
}

export interface TreeEntry {
  readonly keyAt: Position;
  readonly value: TreeNode;
}

interface TreeList {
  readonly kind: "list";
  readonly at: Position;
  readonly items: readonly TreeNode[];
}

export interface TreeScalar {
  readonly kind: "scalar";
  readonly at: Position;
  readonly value: string | number | boolean | null;
  /** As it was written, so that `1.0` and `0755` can be taken as texts. */
  readonly text: string;
}

/** Deepest nesting of a tree, from YAML or JSON: more is an attack, not a document. */
export const MAX_TREE_DEPTH = 64;

/** The position of everything in a tree that was no text. */
const NOWHERE: Position = { line: 0, column: 0 };

/** The tree of a JSON value, without positions. What lies deeper than MAX_TREE_DEPTH is left out: callers bound the depth before
 *  or have keys that reach nowhere near. Values that JSON has no word for count as null. */
export function treeOf(value: unknown, depth = 0): TreeNode {
  if (depth > MAX_TREE_DEPTH) return scalarOf(null);
  if (Array.isArray(value)) {
    return { kind: "list", at: NOWHERE, items: value.map((item) => treeOf(item, depth + 1)) };
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(
      ([key, item]) => [key, { keyAt: NOWHERE, value: treeOf(item, depth + 1) }] as const,
    );
    return { kind: "map", at: NOWHERE, entries: new Map(entries) };
  }
  return scalarOf(value);
}

function scalarOf(value: unknown): TreeScalar {
  const known = typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
  return { kind: "scalar", at: NOWHERE, value: known, text: known === null ? "" : String(known) };
}

/** The plain value of a tree. */
export function jsonOf(node: TreeNode): Json {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(jsonOf);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, jsonOf(entry.value)]));
}

/** Where the value at `path` stands, or (`of: "key"`) the key that names it. What is missing is placed at the nearest thing above it
 *  that is there. */
export function locate(root: TreeNode, path: Path, of: "key" | "value" = "value"): Position {
  let node = root;
  let position = root.at;
  for (const [depth, step] of path.entries()) {
    const last = depth === path.length - 1;
    if (node.kind === "map" && typeof step === "string") {
      const entry = node.entries.get(step);
      if (!entry) return position;
      // A value on its own lines is best pointed at by its key.
      position = (last && of === "key") || entry.value.kind !== "scalar" ? entry.keyAt : entry.value.at;
      node = entry.value;
    } else if (node.kind === "list" && typeof step === "number") {
      const item = node.items[step];
      if (!item) return position;
      position = item.at;
      node = item;
    } else return position;
  }
  return position;
}

/** `a.b[0].c`: a path as people read it. */
export function showPath(path: Path): string {
  return path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : `${index > 0 ? "." : ""}${step}`))
    .join("");
}
