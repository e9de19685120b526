import { nearest } from "../lib/nearest.ts";
import {
  type Json,
  type JsonObject,
  jsonOf,
  type Path,
  type TreeMap,
  type TreeNode,
  type TreeScalar,
} from "../lib/tree.ts";
import type { Findings } from "./findings.ts";
import type { KeyRow, SectionName, ValueType } from "./key-row.ts";
import { KEY_TABLE, rowOf } from "./key-table.ts";
import { expected, plainText, readScalar } from "./read-scalar.ts";

/** How a definition came, which decides what is worth a warning. */
export interface ReadingFrom {
  /** Says whose key a warning is about. */
  readonly service: string;
  /** True for a file, where somebody wrote a read-only key by hand; false for the API, whose clients send back what they got. */
  readonly file: boolean;
}

/** Checks a map against a section of the key table. The result holds canonical key names and values in the table's order, without
 *  keys that are null, read-only or as by default: what was not given and what was given as by default compare equal.
 *  Everything wrong goes to `findings`, placed below `path`. */
export function readSection(
  node: TreeNode,
  section: SectionName,
  path: Path,
  findings: Findings,
  from: ReadingFrom,
): JsonObject {
  if (node.kind !== "map") {
    findings.wrong(path, isAbsent(node) ? "the entry is empty" : `${kindOf(node)} stands where a map belongs`);
    return {};
  }
  const found = matchKeys(node, section, path, findings);
  const values: [string, Json][] = [];
  for (const row of KEY_TABLE[section]) {
    const written = found.get(row);
    const entry = written === undefined ? undefined : node.entries.get(written);
    if (written === undefined || entry === undefined || isAbsent(entry.value)) {
      if (row.required) findings.wrongKey(path, `the key "${row.key}" is missing`);
      continue;
    }
    const value = new ValueReader(findings, from, row).read(entry.value, row.type, [...path, written]);
    if (value !== undefined && keeps(row, value, from, findings)) values.push([row.key, value]);
  }
  return Object.fromEntries(values);
}

/** Which key of the map belongs to which row; the others are told. */
function matchKeys(node: TreeMap, section: SectionName, path: Path, findings: Findings): Map<KeyRow, string> {
  const found = new Map<KeyRow, string>();
  for (const key of node.entries.keys()) {
    const row = rowOf(section, key);
    const earlier = row && found.get(row);
    if (!row) findings.wrongKey([...path, key], `unknown key "${key}"`, suggestKey(section, key));
    else if (earlier !== undefined)
      findings.wrongKey([...path, key], `"${key}" and "${earlier}" are the same key`, "keep one of the two");
    else found.set(row, key);
  }
  return found;
}

function suggestKey(section: SectionName, key: string): string | null {
  const near = nearest(
    key,
    KEY_TABLE[section].map((row) => row.key),
  );
  return near === null ? null : `did you mean "${near}"?`;
}

/** Says what has no effect, and drops what is as by default or not for others to set. */
function keeps(row: KeyRow, value: Json, from: ReadingFrom, findings: Findings): boolean {
  if (row.effect === "read-only") {
    if (from.file && !isVoid(value))
      findings.warn(`Service "${from.service}": the server sets "${row.key}" itself, the value given is not used`);
    return false;
  }
  if (row.default !== undefined && sameJson(value, row.default)) return false;
  if (row.dialect !== "sluice" && row.type.is === "section" && isVoid(value)) return false;
  if (row.effect === "warns" && !isVoid(value)) {
    findings.warn(
      `Service "${from.service}": "${row.key}" has no effect on this server: ${row.lacks ?? "it is not supported"}`,
    );
  }
  return true;
}

/** Nothing but zeros, empty texts and empty collections: what Go's clients send for a part that is not used. */
function isVoid(value: Json): boolean {
  if (typeof value !== "object" || value === null) return !value;
  return Object.values(value).every(isVoid);
}

function sameJson(a: Json, b: Json): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** null everywhere and the empty text for values that are no text mean "not given", as Go's and JavaScript's clients send both. */
const isAbsent = (node: TreeNode): boolean => node.kind === "scalar" && node.value === null;
const isEmptyText = (node: TreeNode): boolean => node.kind === "scalar" && node.value === "";

function kindOf(node: TreeNode): string {
  if (node.kind === "scalar") return "a single value";
  return node.kind === "list" ? "a list" : "a map";
}

/** Reads the values of one row. */
class ValueReader {
  readonly #findings: Findings;
  readonly #from: ReadingFrom;
  readonly #row: KeyRow;

  constructor(findings: Findings, from: ReadingFrom, row: KeyRow) {
    this.#findings = findings;
    this.#from = from;
    this.#row = row;
  }

  /** The canonical value, or undefined when it is wrong (and told) or not given. */
  read(node: TreeNode, type: ValueType, path: Path): Json | undefined {
    switch (type.is) {
      case "any":
        return jsonOf(node);
      case "section":
        return isEmptyText(node) ? undefined : readSection(node, type.section, path, this.#findings, this.#from);
      case "sections":
        return this.#list(node, path, (item, at) => readSection(item, type.section, at, this.#findings, this.#from));
      case "section map":
        return this.#map(node, path, (item, at) => readSection(item, type.section, at, this.#findings, this.#from));
      case "texts":
        return this.#list(node, path, (item, at) => this.#scalar(item, { is: "text" }, at));
      case "integers":
        return this.#list(node, path, (item, at) => this.#scalar(item, { is: "integer" }, at));
      case "text map":
      case "secret map":
        return this.#map(node, path, (item, at) => this.#textOf(item, at));
      default:
        return isEmptyText(node) && type.is !== "text" && type.is !== "secret"
          ? undefined
          : this.#scalar(node, type, path);
    }
  }

  #scalar(node: TreeNode, type: ValueType, path: Path): Json | undefined {
    if (node.kind !== "scalar") {
      this.#findings.wrong(path, `${kindOf(node)} stands where ${expected(type)} belongs`);
      return undefined;
    }
    const reading = readScalar(node, type);
    if ("wrong" in reading) {
      this.#findings.wrong(path, reading.wrong, reading.suggestion);
      return undefined;
    }
    if (reading.warning) this.#findings.warn(`Service "${this.#from.service}": "${this.#row.key}" ${reading.warning}`);
    return reading.value;
  }

  /** Every scalar is a text here; null is an empty one. */
  #textOf(node: TreeNode, path: Path): Json | undefined {
    if (node.kind !== "scalar") {
      // `KEY: [value]` is how OSCAR's examples write "put your own value here".
      this.#findings.wrong(path, `${kindOf(node)} stands where a text belongs`, "put it in quotes");
      return undefined;
    }
    const text: TreeScalar = { ...node, value: plainText(node) };
    return this.#scalar(text, this.#row.type.is === "secret map" ? { is: "secret" } : { is: "text" }, path);
  }

  #list(node: TreeNode, path: Path, one: (item: TreeNode, at: Path) => Json | undefined): Json | undefined {
    if (isEmptyText(node)) return undefined;
    if (node.kind === "map" || (node.kind === "scalar" && this.#row.type.is === "sections")) {
      this.#findings.wrong(
        path,
        `${kindOf(node)} stands where ${expected(this.#row.type)} belongs`,
        node.kind === "map" ? "start each entry with a dash" : null,
      );
      return undefined;
    }
    if (node.kind === "scalar") return defined([one(node, path)]);
    return defined(node.items.map((item, index) => one(item, [...path, index])));
  }

  #map(node: TreeNode, path: Path, one: (item: TreeNode, at: Path) => Json | undefined): Json | undefined {
    if (isEmptyText(node)) return undefined;
    if (node.kind !== "map") {
      this.#findings.wrong(path, `${kindOf(node)} stands where ${expected(this.#row.type)} belongs`);
      return undefined;
    }
    const entries = [...node.entries].filter(([key]) => key !== this.#row.ownId);
    const pairs = entries.map(([key, entry]) => [key, one(entry.value, [...path, key])] as const);
    return Object.fromEntries(pairs.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
  }
}

const defined = (values: readonly (Json | undefined)[]): Json[] => values.filter((value) => value !== undefined);
