import type { Service } from "../core/service.ts";
import { readYaml } from "../lib/read-yaml.ts";
import {
  type JsonObject,
  type Path,
  showPath,
  type TreeEntry,
  type TreeMap,
  type TreeNode,
  treeOf,
} from "../lib/tree.ts";
import { decodeUtf8 } from "../lib/utf8.ts";
import { buildService } from "./build-service.ts";
import { checkLoops, LOOP_CURE, loopWarning } from "./check-loops.ts";
import { checkService, requireScript, type ServerAbilities } from "./check-service.ts";
import { type FileShape, readFileShape, type WrittenService } from "./file-shape.ts";
import { Findings, type Problem, placed } from "./findings.ts";
import { readSection } from "./read-section.ts";
import { fromAwsFunction, fromFirstFunction, keysOfAws } from "./scar/scar-service.ts";
import { scriptText } from "./script-text.ts";

export interface FdlOptions {
  /** For messages. */
  readonly fileName: string;
  /** Reads a file named relative to the FDL file; null when there is none. */
  readonly readFile: (path: string) => string | Uint8Array | null;
  readonly server: ServerAbilities;
}

/** One service of an FDL file. */
export interface FdlService {
  /** The id above the service: `local` and `default-cluster` mean the server being talked to. */
  readonly clusterId: string;
  readonly spec: Service;
  /** Sentences for people, each naming key and service. */
  readonly warnings: readonly string[];
  /** Everything the file says, secrets and credentials included, but for the script. Only `toDefinition` sends it. */
  readonly full: JsonObject;
}

export interface ParsedFdl {
  /** In the order of the file. Complete only when there are no problems: apply none of them otherwise. */
  readonly services: readonly FdlService[];
  readonly problems: readonly Problem[];
}

/** Reads an FDL file, of OSCAR's dialect or one of SCAR's: every document of the text, every service, every mistake at once. Pure but for `readFile`. */
export function parseFdl(content: string | Uint8Array, options: FdlOptions): ParsedFdl {
  const decoded = typeof content === "string" ? { text: content } : decodeUtf8(content);
  if ("wrongAt" in decoded) return broken({ ...decoded.wrongAt, message: "the file is not valid UTF-8" });
  const { documents, problems } = readYaml(decoded.text);
  const faults = problems.map(({ at, path, message, suggestion }) => ({
    ...at,
    path: showPath(path),
    code: "FDL_INVALID" as const,
    message,
    suggestion,
  }));
  if (documents.length === 0 && faults.length === 0) {
    return broken({ line: 1, column: 1, message: "the file holds no functions" });
  }
  const read = documents.map((root) => readDocument(root, options));
  const services = read.flatMap((document) => document.services);
  for (const own of Map.groupBy(services, ({ clusterId }) => clusterId).values()) {
    checkRepeats(own);
    checkFileLoops(own);
  }
  const mistakes = read.flatMap(({ root, findings }) => findings.problems.map((finding) => placed(root, finding)));
  return {
    services: services.map(({ path: _path, findings: _findings, ...service }) => service),
    problems: [...faults, ...mistakes].toSorted((a, b) => a.line - b.line || a.column - b.column),
  };
}

function broken(at: { line: number; column: number; message: string }): ParsedFdl {
  return { services: [], problems: [{ ...at, path: "", code: "FDL_INVALID", suggestion: null }] };
}

/** A service with its place: its document's findings, and the path of its map there. */
interface PlacedService extends FdlService {
  readonly warnings: string[];
  readonly findings: Findings;
  readonly path: Path;
}

interface ReadDocument {
  readonly root: TreeNode;
  readonly findings: Findings;
  readonly services: readonly PlacedService[];
}

function readDocument(root: TreeNode, options: FdlOptions): ReadDocument {
  const findings = new Findings();
  const shape = readFileShape(root, findings);
  const services = shape.services.map((written) => readService(written, shape, findings, options));
  return { root, findings, services };
}

function readService(
  written: WrittenService,
  shape: FileShape,
  findings: Findings,
  options: FdlOptions,
): PlacedService {
  const { clusterId, node, path } = written;
  const own = new Findings();
  const shared = sharedBy(shape, node, own);
  const { whole, name, places } = inOscarsWords(written, findings, own);
  const entries = new Map([...whole.entries, ...shared]);
  const { script, ...full } = readSection({ ...whole, entries }, "service", [], own, { service: name, file: true });
  const text = typeof script === "string" ? readScript(script, own, options) : "";
  const spec = buildService({ ...full, cluster_id: clusterId }, text, options.server, own);
  requireScript(script, spec.image, own);
  checkService(spec, options.server, own);
  for (const finding of own.problems) {
    const [key = "", ...below] = finding.path;
    const place = places.get(String(key)) ?? [...(places.get("") ?? []), ...(key === "" ? [] : [key])];
    findings.add(shared.has(String(key)) ? finding : { ...finding, path: [...path, ...place, ...below] });
  }
  return { clusterId, spec, warnings: own.warnings, full, findings, path };
}

/** A service as OSCAR would have it, which it is already unless it was written for SCAR.
 *  @param findings takes what is wrong with a function of SCAR's @param own takes warnings */
function inOscarsWords(
  written: WrittenService,
  findings: Findings,
  own: Findings,
): { readonly whole: TreeMap; readonly name: string; readonly places: ReadonlyMap<string, Path> } {
  const { node, path } = written;
  if (written.dialect === "oscar") return { whole: node, name: nameIn(node), places: new Map() };
  const section = written.dialect === "aws" ? "aws function" : "scar function";
  const name = written.dialect === "scar" ? written.name : nameIn(node.entries.get("lambda")?.value ?? node);
  const said = new Findings();
  const read = readSection(node, section, [], said, { service: name, file: true });
  const translated = written.dialect === "aws" ? fromAwsFunction(read) : fromFirstFunction(name, read);
  const isFunction = written.dialect === "scar" || read.lambda !== undefined;
  if (isFunction && translated.definition.image === undefined)
    said.wrongKey(translated.places.get("image") ?? [], NO_IMAGE, A_CURE);
  for (const finding of said.problems) findings.add({ ...finding, path: [...path, ...finding.path] });
  for (const warning of [...said.warnings, awsWarning(name, keysOfAws(read, section))]) own.warn(warning);
  // What is missing was told, in SCAR's words.
  const definition = { name: "missing", image: "missing", ...translated.definition };
  return { whole: treeOf(definition) as TreeMap, name, places: translated.places };
}

const NO_IMAGE = 'the key "image" is missing';
const A_CURE = "name an image, or an archive by image_file";

function awsWarning(name: string, keys: readonly string[]): string {
  const where = `Service "${name}": it is written for AWS, which this server does not drive yet, and runs on this server`;
  return keys.length === 0 ? where : `${where}; without effect here: ${keys.join(", ")}`;
}

function nameIn(node: TreeNode): string {
  const name = node.kind === "map" ? node.entries.get("name")?.value : undefined;
  return name?.kind === "scalar" ? name.text : "";
}

/** What the file says once for all of its services becomes part of each, as OSCAR's own client does it. */
function sharedBy(shape: FileShape, service: TreeMap, findings: Findings): Map<string, TreeEntry> {
  const parts = [
    ["storage_providers", shape.storageProviders],
    ["clusters", shape.clusters],
  ] as const;
  const shared = new Map<string, TreeEntry>();
  for (const [key, value] of parts) {
    if (value === null) continue;
    if (service.entries.has(key)) {
      findings.wrongKey([key], `"${key}" stands in the service and at the top of the file`, "keep one of the two");
    } else shared.set(key, { keyAt: value.at, value });
  }
  return shared;
}

function readScript(path: string, findings: Findings, options: FdlOptions): string {
  if (/[\n\r\p{Cc}]/u.test(path)) {
    findings.wrong(
      ["script"],
      "the script stands in the file itself",
      "put it in a file beside this one and write its path",
    );
    return "";
  }
  const content = options.readFile(path);
  if (content === null) {
    findings.wrong(
      ["script"],
      `no file "${path}" beside ${options.fileName}`,
      "paths count from the folder of this file",
    );
    return "";
  }
  const script = scriptText(content);
  if ("text" in script) return script.text;
  findings.wrong(["script"], `${path}: ${script.wrong}`);
  return "";
}

function checkRepeats(services: readonly PlacedService[]): void {
  const seen = new Set<string>();
  for (const { spec, path, findings } of services) {
    if (seen.has(spec.name)) findings.wrong([...path, "name"], `the service "${spec.name}" stands here a second time`);
    seen.add(spec.name);
  }
}

/** Loops with services that the server already has are its own to find. */
function checkFileLoops(services: readonly PlacedService[]): void {
  const specs = services.map(({ spec }) => spec);
  for (const loop of checkLoops(specs, [])) {
    const service = services.find(({ spec }) => spec.name === loop.service);
    if (!service) continue;
    if (loop.refused) service.findings.wrong([...service.path, "output"], loop.message, LOOP_CURE, "SERVICE_LOOP");
    else service.warnings.push(loopWarning(loop));
  }
}
