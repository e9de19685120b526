import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  type YAMLMap,
} from "yaml";
import { MAX_TREE_DEPTH, type Path, type Position, type TreeEntry, type TreeNode, type TreeScalar } from "./tree.ts";

/** A fault of the YAML itself. */
export interface YamlProblem {
  readonly at: Position;
  readonly path: Path;
  readonly message: string;
  readonly suggestion: string | null;
}

/** Longest text taken. Definitions and settings are a few kilobytes; this much of the worst YAML is read in about a second. */
export const MAX_YAML_LENGTH = 128 * 1024;
/** Most nodes after aliases are expanded: ten levels of ten aliases each would be ten billion. */
const MAX_NODES = 50_000;
const MAX_PROBLEMS = 50;

/** The documents of a YAML 1.2 text as trees (empty ones are left out), and every fault at once. Merge keys (`<<`) work, tags beyond the
 *  core ones do not. Aliases are copies of their anchors; nesting, size and expansion are bounded, so that no text can cost much
 *  time or memory. With a syntax fault there are no documents: what a broken text means is a guess. */
export function readYaml(text: string): { readonly documents: TreeNode[]; readonly problems: YamlProblem[] } {
  if (text.length > MAX_YAML_LENGTH) {
    return refuse(`the text is too long: ${text.length} characters, at most ${MAX_YAML_LENGTH} are taken`);
  }
  const nul = text.indexOf("\0");
  if (nul >= 0) return refuse("it holds a NUL character: this is no text file", positionIn(text, nul));
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const deep = tooDeep(tokens);
  if (deep !== null) {
    const { line, col } = lines.linePos(deep);
    return refuse(`it is nested more than ${MAX_TREE_DEPTH} levels deep`, { line, column: col });
  }
  const documents = [...new Composer({ prettyErrors: false, uniqueKeys: false }).compose(tokens, false, text.length)];
  const reader = new DocumentReader(lines);
  for (const document of documents) {
    for (const fault of [...document.errors, ...document.warnings])
      reader.syntax(fault.pos[0], fault.code, fault.message);
  }
  if (reader.problems.length > 0) return { documents: [], problems: reader.problems };
  const trees = documents.flatMap(({ contents }) => (contents === null ? [] : [reader.read(contents)]));
  return { documents: trees.filter((tree) => !isEmpty(tree)), problems: reader.problems };
}

const isEmpty = (tree: TreeNode): boolean => tree.kind === "scalar" && tree.value === null && tree.text === "";

function refuse(
  message: string,
  at: Position = { line: 1, column: 1 },
): { documents: TreeNode[]; problems: YamlProblem[] } {
  return { documents: [], problems: [{ at, path: [], message, suggestion: null }] };
}

function positionIn(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

/** The offset of a token that lies too deep, or null. With its own stack: recursion is what it guards against. */
function tooDeep(tokens: readonly unknown[]): number | null {
  const stack = tokens.map((token) => ({ token, depth: 0, offset: 0 }));
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { token, depth } = next;
    if (typeof token !== "object" || token === null) continue;
    const offset = "offset" in token && typeof token.offset === "number" ? token.offset : next.offset;
    if (depth > MAX_TREE_DEPTH) return offset;
    if ("value" in token) stack.push({ token: token.value, depth, offset });
    if ("key" in token) stack.push({ token: token.key, depth, offset });
    if ("items" in token && Array.isArray(token.items)) {
      for (const item of token.items) stack.push({ token: item, depth: depth + 1, offset });
    }
  }
  return null;
}

const CORE_TAGS = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/;

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "line the entries up",
  TAG_RESOLVE_FAILED: "leave the tag out",
  BLOCK_AS_IMPLICIT_KEY: "put the nested entries on lines of their own, or the text in quotes",
  MULTILINE_IMPLICIT_KEY: "write the key and its colon on one line",
  BAD_SCALAR_START: "put the text in quotes",
};

/** Turns composed nodes into trees. One per text: the count of nodes and problems is over all documents. */
class DocumentReader {
  readonly problems: YamlProblem[] = [];
  readonly #lines: LineCounter;
  #anchors = new Map<string, Node>();
  #nodes = 0;
  #full = false;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  syntax(offset: number, code: string, message: string): void {
    this.#fault(this.#at(offset), [], message.replace(/\s+/g, " "), SYNTAX_HINTS[code] ?? null);
  }

  /** Anchors hold within one document. */
  read(contents: Node): TreeNode {
    this.#anchors = new Map();
    return this.#node(contents, [], 0);
  }

  #node(node: unknown, path: Path, depth: number): TreeNode {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES || depth > 2 * MAX_TREE_DEPTH) return this.#tooMuch(node, path);
    if (isAlias(node)) return this.#aliased(node, node.source, path, depth);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) this.#anchors.set(node.anchor, node);
    this.#checkTag(node, path);
    if (isMap(node)) return this.#map(node, path, depth);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => this.#node(item, [...path, index], depth + 1));
      return { kind: "list", at: this.#start(node), items };
    }
    if (!isScalar(node)) return this.#scalar(node, null, "");
    const { value } = node;
    const known = typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
    return this.#scalar(node, known, node.source ?? (known === null ? "" : String(known)));
  }

  #checkTag(node: unknown, path: Path): void {
    if (!(isMap(node) || isSeq(node) || isScalar(node)) || !node.tag || CORE_TAGS.test(node.tag)) return;
    this.#fault(this.#start(node), path, `the tag ${node.tag} is not taken`, "leave the tag out");
  }

  /** Said once: everything after it is left out. */
  #tooMuch(node: unknown, path: Path): TreeNode {
    if (!this.#full)
      this.#fault(
        this.#start(node),
        path.slice(0, 3),
        `it holds more than ${MAX_NODES} values once its aliases are expanded`,
        "write it without aliases",
      );
    this.#full = true;
    this.#nodes = MAX_NODES;
    return this.#scalar(node, null, "");
  }

  #aliased(node: Node, name: string, path: Path, depth: number): TreeNode {
    const target = this.#anchors.get(name);
    if (target) return this.#node(target, path, depth + 1);
    this.#fault(this.#start(node), path, `the alias *${name} has no anchor &${name} before it`, null);
    return this.#scalar(node, null, "");
  }

  #map(node: YAMLMap, path: Path, depth: number): TreeNode {
    const entries = new Map<string, TreeEntry>();
    const merged: TreeNode[] = [];
    for (const pair of node.items) {
      const key = this.#key(pair, path);
      if (key === null) continue;
      const keyAt = this.#start(pair.key);
      if (entries.has(key)) {
        this.#fault(keyAt, [...path, key], `the key "${key}" stands here a second time`, "keep one of the two");
        continue;
      }
      const value = this.#node(pair.value, [...path, key], depth + 1);
      if (key === "<<") merged.push(...(value.kind === "list" ? value.items : [value]));
      else entries.set(key, { keyAt, value: pair.value === null ? { ...value, at: keyAt } : value });
    }
    for (const source of merged) this.#merge(source, entries, path);
    return { kind: "map", at: this.#start(node), entries };
  }

  /** Own entries win, then those of earlier sources. @see https://yaml.org/type/merge.html */
  #merge(source: TreeNode, entries: Map<string, TreeEntry>, path: Path): void {
    if (this.#full) return;
    if (source.kind !== "map") {
      this.#fault(source.at, [...path, "<<"], "a merge key takes a map or a list of maps", null);
      return;
    }
    for (const [key, entry] of source.entries) if (!entries.has(key)) entries.set(key, entry);
  }

  #key(pair: Pair, path: Path): string | null {
    if (isScalar(pair.key)) return pair.key.source ?? String(pair.key.value);
    this.#fault(this.#start(pair.key ?? pair.value), path, "a key must be a plain text", null);
    return null;
  }

  #scalar(node: unknown, value: TreeScalar["value"], text: string): TreeScalar {
    return { kind: "scalar", at: this.#start(node), value, text };
  }

  #start(node: unknown): Position {
    const range = isAlias(node) || isMap(node) || isSeq(node) || isScalar(node) ? node.range : null;
    return this.#at(range?.[0] ?? 0);
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    // Before the first line is known the counter answers 0.
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #fault(at: Position, path: Path, message: string, suggestion: string | null): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ at, path, message, suggestion });
  }
}
