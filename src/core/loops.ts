import { EMBEDDED_PROVIDER } from "./filters.ts";
import type { Service, StorageEntry } from "./service.ts";

type Node = Pick<Service, "name" | "inputs" | "outputs">;

/** For each service (of `through`, else of all) that can start itself again, the names along its shortest loop; each loop once.
 *  Outputs count as feeding an input when path and suffix filters allow it: a loop may be reported that never happens (a script decides
 *  its file names), but no service that lies on one is missed. */
export function findLoops(services: readonly Node[], through?: readonly string[]): string[][] {
  const feeds = feedsOf(services);
  const loops = new Map<string, string[]>();
  for (const name of through ?? services.map((service) => service.name)) {
    const loop = shortestLoop(name, feeds);
    const key = loop ? [...loop].sort().join("\0") : "";
    if (loop && !loops.has(key)) loops.set(key, loop);
  }
  return [...loops.values()];
}

/** Answers which services a service's outputs can start. Inputs are grouped by bucket, as most pairs share none, and only services that
 *  a walk reaches are looked at. */
function feedsOf(services: readonly Node[]): (name: string) => readonly string[] {
  const nodes = new Map(services.map((service) => [service.name, service]));
  const readers = Map.groupBy(
    services.flatMap(({ name, inputs }) => inputs.map((input) => ({ name, input }))),
    ({ input }) => input.bucket,
  );
  const fedBy = (output: StorageEntry): string[] =>
    (readers.get(output.bucket) ?? []).filter(({ input }) => entryFeeds(output, input)).map(({ name }) => name);
  const known = new Map<string, readonly string[]>();
  return (name) => {
    const found = known.get(name) ?? [...new Set((nodes.get(name)?.outputs ?? []).flatMap(fedBy))];
    known.set(name, found);
    return found;
  };
}

/** Breadth first from `start` back to itself. */
function shortestLoop(start: string, feeds: (name: string) => readonly string[]): string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const next of feeds(name)) {
      if (next === start) return pathTo(name, start, cameFrom);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, name);
      queue.push(next);
    }
  }
  return null;
}

function pathTo(end: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [end];
  for (let name = end; name !== start; ) {
    name = cameFrom.get(name) ?? start;
    path.unshift(name);
  }
  return path;
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
