import type { Service } from "../core/service.ts";
import { type Json, type JsonObject, jsonOf, treeOf } from "../lib/tree.ts";
import { buildService } from "./build-service.ts";
import { checkService, requireScript, type ServerAbilities } from "./check-service.ts";
import { isObject } from "./definition-values.ts";
import { Findings, placed, problemsError } from "./findings.ts";
import type { SectionName } from "./key-row.ts";
import { KEY_TABLE } from "./key-table.ts";
import type { FdlService } from "./parse-fdl.ts";
import { readSection } from "./read-section.ts";
import { scriptText } from "./script-text.ts";

/** A service from the API's JSON: the keys of an FDL service, `script` as text. What Go's and JavaScript's clients send for what is not
 *  given (null, empty texts and maps, zeros) counts as not given, and so does what the server sets itself.
 *  @throws SluiceError with every problem in the message and in `details.problems`: IMAGE_UNSUPPORTED, NETWORK_UNSUPPORTED or
 *  RESOURCES_TOO_LARGE when that is all there is, else SERVICE_INVALID */
export function serviceFromDefinition(
  json: unknown,
  server: ServerAbilities,
): { readonly spec: Service; readonly warnings: readonly string[] } {
  const findings = new Findings();
  const tree = treeOf(json);
  const name = nameIn(json);
  const { script, ...definition } = readSection(tree, "service", [], findings, { service: name, file: false });
  const text = typeof script === "string" && script !== "" ? scriptIn(script, findings) : "";
  const spec = buildService(definition, text, server, findings);
  requireScript(script, spec.image, findings);
  checkService(spec, server, findings);
  if (findings.problems.length > 0) {
    const problems = findings.problems.map((finding) => placed(tree, finding));
    throw problemsError(name === "" ? "the definition" : `the definition of "${name}"`, problems, "SERVICE_INVALID");
  }
  return { spec, warnings: findings.warnings };
}

function nameIn(json: unknown): string {
  const name = typeof json === "object" && json !== null && "name" in json ? json.name : "";
  return typeof name === "string" ? name.slice(0, 60) : "";
}

function scriptIn(content: string, findings: Findings): string {
  const script = scriptText(content);
  if ("text" in script) return script.text;
  findings.wrong(["script"], script.wrong);
  return "";
}

/** The definition as the API returns it: what was given, OSCAR's keys with their defaults where nothing was, the script, and empty texts
 *  for secrets. `serviceFromDefinition` takes it back (`withKeptSecrets` fills the secrets in again). */
export function definitionOf(spec: Service): JsonObject {
  const given = jsonOf(treeOf(spec.definition));
  return filledIn({ ...(isObject(given) ? given : {}), script: spec.script }, "service");
}

/** Defaults go into the parts that this server acts on; the others stay as given. */
function filledIn(definition: JsonObject, section: SectionName): JsonObject {
  const pairs = KEY_TABLE[section].map(({ key, type, effect, default: byDefault }): [string, Json | undefined] => {
    const value = definition[key] ?? byDefault;
    if (effect !== "acts") return [key, value];
    if (type.is === "section" && isObject(value)) return [key, filledIn(value, type.section)];
    if (type.is !== "sections" || !Array.isArray(value)) return [key, value];
    return [key, value.map((one) => (isObject(one) ? filledIn(one, type.section) : one))];
  });
  const known = pairs.filter((pair): pair is [string, Json] => pair[1] !== undefined);
  return structuredClone(Object.fromEntries(known));
}

/** What to POST for one service of an FDL file: everything it says, with the script's text, its secrets and its cluster id. */
export function toDefinition(service: FdlService): JsonObject {
  return { ...service.full, cluster_id: service.clusterId, script: service.spec.script };
}
