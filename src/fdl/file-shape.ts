import { nearest } from "../lib/nearest.ts";
import type { Path, TreeMap, TreeNode } from "../lib/tree.ts";
import type { Findings } from "./findings.ts";
import { rowOf } from "./key-table.ts";

/** A service, still unread, and whose words it is written in. */
export type WrittenService = {
  readonly clusterId: string;
  readonly node: TreeMap;
  readonly path: Path;
} & (
  | { readonly dialect: "oscar" | "aws" }
  /** SCAR's first files, where a function's name stands above it. */
  | { readonly dialect: "scar"; readonly name: string }
);

/** The parts of an FDL document, still unread. */
export interface FileShape {
  readonly services: readonly WrittenService[];
  readonly storageProviders: TreeNode | null;
  readonly clusters: TreeNode | null;
}

const TOP_KEYS = ["functions", "storage_providers", "clusters"];

/** Finds the services of a document: `functions.oscar` is a list of maps from a cluster id to a service, `functions.aws` one of SCAR's functions. */
export function readFileShape(root: TreeNode, findings: Findings): FileShape {
  if (root.kind !== "map") {
    findings.wrong([], "the file is no map", "start it with functions:");
    return { services: [], storageProviders: null, clusters: null };
  }
  for (const key of root.entries.keys()) {
    if (!TOP_KEYS.includes(key)) findings.wrongKey([key], `unknown key "${key}"`, didYouMean(key, TOP_KEYS));
  }
  const functions = root.entries.get("functions")?.value;
  if (!functions) findings.wrongKey([], 'the key "functions" is missing');
  return {
    services: functions ? functionsOf(functions, findings) : [],
    storageProviders: sharedPart(root, "storage_providers"),
    clusters: sharedPart(root, "clusters"),
  };
}

function sharedPart(root: TreeMap, key: string): TreeNode | null {
  return root.entries.get(key)?.value ?? null;
}

function didYouMean(key: string, candidates: readonly string[]): string | null {
  const near = nearest(key, candidates);
  return near === null ? null : `did you mean "${near}"?`;
}

function functionsOf(functions: TreeNode, findings: Findings): WrittenService[] {
  if (functions.kind !== "map") {
    findings.wrong(["functions"], "functions holds no map", "write oscar: below it, and the services below that");
    return [];
  }
  const services: WrittenService[] = [];
  for (const [key, { value }] of functions.entries) {
    if (key === "oscar") services.push(...oscarServices(value, findings));
    else if (key === "aws") services.push(...awsFunctions(value, findings));
    else services.push(...firstFunction(key, value, findings));
  }
  if (functions.entries.size === 0) findings.wrongKey(["functions"], 'the key "oscar" is missing');
  return services;
}

/** SCAR's functions run on the server being talked to. */
const HERE = "local";

/** SCAR's first files had functions right below `functions`. What has words of OSCAR's alone is a service in the wrong place. */
function firstFunction(key: string, node: TreeNode, findings: Findings): WrittenService[] {
  const words = node.kind === "map" ? [...node.entries.keys()] : [];
  const isScars = words.some((word) => rowOf("scar function", word));
  const isOscars = words.some((word) => rowOf("service", word) && !rowOf("scar function", word));
  if (node.kind === "map" && isScars && !isOscars) {
    return [{ dialect: "scar", name: key, clusterId: HERE, node, path: ["functions", key] }];
  }
  const cure = isOscars
    ? `write the service as an entry of oscar: "- local: …" with name: ${key}`
    : didYouMean(key, ["oscar", "aws"]);
  findings.wrongKey(["functions", key], `unknown key "${key}"`, cure);
  return [];
}

function awsFunctions(aws: TreeNode, findings: Findings): WrittenService[] {
  const path = ["functions", "aws"];
  const items = itemsOf(aws, path, "functions", "start each function with a dash: - lambda:", findings);
  return items.flatMap((node, index) => {
    if (node.kind === "map") return [{ dialect: "aws", clusterId: HERE, node, path: [...path, index] } as const];
    findings.wrong([...path, index], "the entry is no map", "write lambda: and the function below it: - lambda:");
    return [];
  });
}

function itemsOf(node: TreeNode, path: Path, what: string, cure: string, findings: Findings): readonly TreeNode[] {
  if (node.kind === "list" && node.items.length > 0) return node.items;
  findings.wrong(path, node.kind === "list" ? `there are no ${what}` : `${path.at(-1)} holds no list`, cure);
  return [];
}

function oscarServices(oscar: TreeNode, findings: Findings): WrittenService[] {
  const path = ["functions", "oscar"];
  const cure = "start each service with a dash and its cluster id: - local:";
  const items = itemsOf(oscar, path, "services", cure, findings);
  return items.flatMap((item, index) => entriesOf(item, [...path, index], findings));
}

function entriesOf(item: TreeNode, path: Path, findings: Findings): WrittenService[] {
  if (item.kind !== "map") {
    findings.wrong(path, "the entry is no map", "write the cluster id and the service below it: - local:");
    return [];
  }
  const misplaced = [...item.entries.keys()].filter((key) => rowOf("service", key));
  if (item.entries.size > 1 && misplaced.length > 0) {
    const cluster = [...item.entries.keys()].find((key) => !misplaced.includes(key));
    const cure =
      cluster === undefined ? "put them below a cluster id: - local:" : `indent them deeper than "${cluster}"`;
    findings.wrong(path, `keys of a service stand beside the cluster id: ${misplaced.slice(0, 3).join(", ")}`, cure);
    return [];
  }
  return [...item.entries].flatMap(([clusterId, { value }]) => {
    if (value.kind === "map")
      return [{ dialect: "oscar", clusterId, node: value, path: [...path, clusterId] } as const];
    findings.wrongKey([...path, clusterId], `"${clusterId}" holds no service`, "indent the service's keys below it");
    return [];
  });
}
