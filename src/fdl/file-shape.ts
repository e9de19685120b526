import { nearest } from "../lib/nearest.ts";
import type { Path, TreeMap, TreeNode } from "../lib/tree.ts";
import type { Findings } from "./findings.ts";
import { rowOf } from "./key-table.ts";

/** The parts of an FDL document, still unread. */
export interface FileShape {
  readonly services: readonly { readonly clusterId: string; readonly node: TreeMap; readonly path: Path }[];
  readonly storageProviders: TreeNode | null;
  readonly clusters: TreeNode | null;
}

const TOP_KEYS = ["functions", "storage_providers", "clusters"];

/** Finds the services of a document: `functions.oscar` is a list of maps from a cluster id to a service. */
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

function functionsOf(functions: TreeNode, findings: Findings): FileShape["services"] {
  if (functions.kind !== "map") {
    findings.wrong(["functions"], "functions holds no map", "write oscar: below it, and the services below that");
    return [];
  }
  let services: FileShape["services"] = [];
  for (const [key, { value }] of functions.entries) {
    if (key === "oscar") services = oscarServices(value, findings);
    else if (key === "aws") findings.wrongKey(["functions", key], "functions on AWS are not supported yet", AWS_CURE);
    else findings.wrongKey(["functions", key], `unknown key "${key}"`, oldDialectOr(key, value));
  }
  if (functions.entries.size === 0) findings.wrongKey(["functions"], 'the key "oscar" is missing');
  return services;
}

const AWS_CURE = "describe the service below oscar to run it here";

/** SCAR's first files had services right below `functions`. */
function oldDialectOr(key: string, value: TreeNode): string | null {
  const service = value.kind === "map" && [...value.entries.keys()].some((inner) => rowOf("service", inner));
  return service
    ? `write the service as an entry of oscar: "- local: …" with name: ${key}`
    : didYouMean(key, ["oscar", "aws"]);
}

function oscarServices(oscar: TreeNode, findings: Findings): FileShape["services"] {
  const path = ["functions", "oscar"];
  if (oscar.kind !== "list" || oscar.items.length === 0) {
    const cure = "start each service with a dash and its cluster id: - local:";
    findings.wrong(path, oscar.kind === "list" ? "there are no services" : "oscar holds no list", cure);
    return [];
  }
  return oscar.items.flatMap((item, index) => entriesOf(item, [...path, index], findings));
}

function entriesOf(item: TreeNode, path: Path, findings: Findings): FileShape["services"] {
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
    if (value.kind === "map") return [{ clusterId, node: value, path: [...path, clusterId] }];
    findings.wrongKey([...path, clusterId], `"${clusterId}" holds no service`, "indent the service's keys below it");
    return [];
  });
}
