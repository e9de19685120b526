import { EMBEDDED_PROVIDER } from "./filters.ts";
import type { Service, StorageEntry } from "./service.ts";

type Node = Pick<Service, "name" | "inputs" | "outputs">;

/** Cycles of services whose outputs, after path and suffix filters, can feed each other's inputs: each as the names along it.
 *  May report a cycle that never happens (a script decides its file names), never misses one. */
export function findLoops(services: readonly Node[]): string[][] {
  const feeds = new Map(
    services.map((from) => [from.name, services.filter((to) => canFeed(from, to)).map((to) => to.name)]),
  );
  const loops: string[][] = [];
  const done = new Set<string>();
  const walk = (name: string, path: string[]): void => {
    const at = path.indexOf(name);
    if (at >= 0) {
      loops.push(path.slice(at));
      return;
    }
    if (done.has(name)) return;
    for (const next of feeds.get(name) ?? []) walk(next, [...path, name]);
    done.add(name);
  };
  for (const service of services) walk(service.name, []);
  return loops;
}

function canFeed(from: Node, to: Node): boolean {
  return from.outputs.some((output) => to.inputs.some((input) => entryFeeds(output, input)));
}

function entryFeeds(output: StorageEntry, input: StorageEntry): boolean {
  if (output.provider !== EMBEDDED_PROVIDER || input.provider !== EMBEDDED_PROVIDER || output.bucket !== input.bucket)
    return false;
  return foldersMeet(output.folder, input.folder) && suffixesMeet(output.suffixes, input.suffixes);
}

/** Output keys are `<folder>/<any relative name>`, which may have folders of its own, so one folder lying below the other is enough.
 *  A placeholder may become anything: only the text before it is certain. */
function foldersMeet(output: string, input: string): boolean {
  const brace = output.search(/\{(job|input|stem|date)\}/);
  if (brace >= 0) {
    const certain = output.slice(0, brace);
    return `${input}/`.startsWith(certain) || certain.startsWith(input === "" ? "" : `${input}/`);
  }
  const under = (inner: string, outer: string): boolean =>
    outer === "" || inner === outer || inner.startsWith(`${outer}/`);
  return under(output, input) || under(input, output);
}

/** Two sets of suffixes can name one file when a suffix of one ends with a suffix of the other; an empty set allows every name. */
function suffixesMeet(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 || b.length === 0) return true;
  return a.some((x) => b.some((y) => x.endsWith(y) || y.endsWith(x)));
}
