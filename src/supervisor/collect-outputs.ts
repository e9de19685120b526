import type { StagedOutput } from "../state/state.ts";
import type { AttemptHost, AttemptOrder } from "./attempt-host.ts";
import { listOutputs, type OutputListing } from "./output-listing.ts";
import { type OutputPlan, planOutputs } from "./output-plan.ts";
import { stageOutputs } from "./output-staging.ts";

export interface CollectedOutputs {
  readonly outputs: readonly StagedOutput[];
  /** All objects, those handed over in chunks too. */
  readonly objects: number;
  readonly bytes: number;
}

/** Turns what a successful script left in its output folder into staged outputs. The safe part is kept, and `say` gets a sentence for each
 *  thing that is left out.
 *  @throws SluiceError OUTPUT_INVALID with `details.reason` when the script is at fault; what the host throws */
export async function collectOutputs(
  order: AttemptOrder,
  host: AttemptHost,
  folder: string,
  say: (sentence: string) => void,
): Promise<CollectedOutputs> {
  const { spec } = order.revision;
  // With this machine's network two scripts can hand each other open files and folders (decision 7).
  const isShared = spec.network === "host";
  const listing = await listOutputs(folder, isShared);
  sayLeftOut(listing, say);
  if (listing.files.length === 0) return { outputs: [], objects: 0, bytes: 0 };
  const plan = planOutputs(listing.files, spec.outputs, {
    jobId: order.job.id,
    inputName: order.input?.name ?? order.job.id,
    time: order.event.time,
  });
  sayUnwanted(plan, spec.outputs.length > 0, say);
  const staged = await stageOutputs(plan.outputs, folder, host, !isShared);
  for (const sentence of [...plan.skipped, ...staged.skipped]) say(sentence);
  return { outputs: staged.rest, objects: staged.objects, bytes: staged.bytes };
}

function sayLeftOut({ leftOut, isGone }: OutputListing, say: (sentence: string) => void): void {
  if (isGone) say("the script removed TMP_OUTPUT_DIR: there are no outputs");
  for (const [kind, { count, examples }] of leftOut) {
    const named = examplesOf(examples, count);
    say(`left out of the outputs, as only regular files are kept: ${counted(count, kind)} (${named})`);
  }
}

function sayUnwanted({ unwanted }: OutputPlan, hasEntries: boolean, say: (sentence: string) => void): void {
  if (unwanted.length === 0) return;
  const why = hasEntries ? "no output's prefix and suffix filters match them" : "the service has no output";
  const named = examplesOf(
    unwanted.slice(0, 3).map(({ name }) => name),
    unwanted.length,
  );
  say(`${counted(unwanted.length, "file")} in TMP_OUTPUT_DIR not kept, as ${why} (${named})`);
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

function examplesOf(names: readonly string[], count: number): string {
  const quoted = names.map((name) => JSON.stringify(name.slice(0, 100))).join(", ");
  return count > names.length ? `${quoted}, …` : quoted;
}
