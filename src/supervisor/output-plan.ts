import { SluiceError } from "../core/errors.ts";
import { EMBEDDED_PROVIDER, matchesFilters } from "../core/filters.ts";
import { MAX_KEY_BYTES } from "../core/keys.ts";
import { type OutputNaming, outputKey } from "../core/output-key.ts";
import type { StorageEntry } from "../core/service.ts";
import type { OutputTarget } from "./attempt-host.ts";
import { contentTypeOf } from "./content-type.ts";
import { MAX_OUTPUTS, type OutputFile } from "./output-listing.ts";

/** One file and every object it becomes: one object for each output entry whose filters match. */
export interface PlannedOutput {
  readonly file: OutputFile;
  readonly targets: readonly OutputTarget[];
  /** All of its entries say `optional: true`. */
  readonly optional: boolean;
}

export interface OutputPlan {
  readonly outputs: readonly PlannedOutput[];
  /** Files that no entry wants. */
  readonly unwanted: readonly OutputFile[];
  /** What optional entries do not get, a sentence each. */
  readonly skipped: readonly string[];
}

/** Decides every key before anything is staged, so that a job with a wrong name stages nothing.
 *  @throws SluiceError OUTPUT_INVALID with `details.reason` `output_name` or `output_invalid` */
export function planOutputs(
  files: readonly OutputFile[],
  entries: readonly StorageEntry[],
  naming: OutputNaming,
): OutputPlan {
  const outputs: PlannedOutput[] = [];
  const unwanted: OutputFile[] = [];
  const skipped = new Set<string>();
  const taken = new Map<string, OutputFile>();
  let count = 0;
  for (const file of files) {
    const wanting = entries.filter((entry) => matchesFilters(file.name, entry));
    if (wanting.length === 0) unwanted.push(file);
    const deliverable = wanting.filter((entry) => canDeliver(entry, file, naming, skipped));
    const targets = deliverable.map((entry) => target(entry, file, naming)).filter((to) => claim(taken, to, file));
    count += targets.length;
    if (count > MAX_OUTPUTS)
      throw invalid("output_invalid", `makes more than ${MAX_OUTPUTS} objects: pack the files into an archive`);
    if (targets.length > 0) outputs.push({ file, targets, optional: deliverable.every((entry) => entry.optional) });
  }
  return { outputs, unwanted, skipped: [...skipped] };
}

/** False for an optional entry that cannot take the file. @throws SluiceError OUTPUT_INVALID for one that is not optional */
function canDeliver(entry: StorageEntry, file: OutputFile, naming: OutputNaming, skipped: Set<string>): boolean {
  const problem = problemOf(entry, file, naming);
  if (problem === null) return true;
  if (!entry.optional) throw problem;
  skipped.add(`an optional output was left out: ${problem.message}`);
  return false;
}

function problemOf(entry: StorageEntry, file: OutputFile, naming: OutputNaming): SluiceError | null {
  if (entry.provider !== EMBEDDED_PROVIDER) {
    return invalid(
      "output_invalid",
      `has an output at ${entry.provider}, which this server cannot deliver to: use the store of this server`,
    );
  }
  if (!file.isUtf8) {
    return invalid(
      "output_name",
      `left a file whose name is not UTF-8 (${JSON.stringify(file.name)}): rename it in the script`,
    );
  }
  const bytes = Buffer.byteLength(outputKey(entry, file.name, naming).key);
  if (bytes <= MAX_KEY_BYTES) return null;
  return invalid(
    "output_name",
    `left a file whose key would have ${bytes} bytes (${JSON.stringify(file.name.slice(0, 80))}…): at most ${MAX_KEY_BYTES} are allowed`,
  );
}

function target(entry: StorageEntry, file: OutputFile, naming: OutputNaming): OutputTarget {
  return { ...outputKey(entry, file.name, naming), contentType: contentTypeOf(file.name) };
}

/** False when this file already becomes that object. @throws SluiceError OUTPUT_INVALID when another file does */
function claim(taken: Map<string, OutputFile>, to: OutputTarget, file: OutputFile): boolean {
  const id = `${to.bucket}/${to.key}`;
  const owner = taken.get(id);
  taken.set(id, file);
  if (owner === undefined) return true;
  if (owner === file) return false;
  throw invalid(
    "output_invalid",
    `left two files, ${JSON.stringify(owner.name)} and ${JSON.stringify(file.name)}, that become the one object ${JSON.stringify(id)}: give the output entries different paths`,
  );
}

function invalid(reason: "output_name" | "output_invalid", message: string): SluiceError {
  return new SluiceError("OUTPUT_INVALID", message, { details: { reason } });
}
