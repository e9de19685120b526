import { setImmediate } from "node:timers/promises";
import { isSluiceError, SluiceError } from "../core/errors.ts";
import { crashPoint } from "../lib/crash-point.ts";
import type { StagedOutput } from "../state/state.ts";
import { type AttemptHost, OUTPUT_CHUNK } from "./attempt-host.ts";
import type { PlannedOutput } from "./output-plan.ts";

/** Enough to keep a disk busy with fsyncs; more would only queue. */
const AT_ONCE = 8;
/** Small outputs are staged without a wait: after so long others have their turn. */
const SLICE_MS = 4;

export interface StagedOutputs {
  /** What `finish` takes; chunks before it were handed over already. */
  readonly rest: readonly StagedOutput[];
  readonly objects: number;
  readonly bytes: number;
  /** What optional entries did not get, a sentence each. */
  readonly skipped: readonly string[];
}

/** Makes every planned file durable and invisible. A file with several targets is staged once and shared: rows count references.
 *  @throws SluiceError STOPPING when the host's signal aborts between two chunks; what the host throws for an output that is not optional; what was staged until then is the host's to discard */
export async function stageOutputs(
  plan: readonly PlannedOutput[],
  folder: string,
  host: AttemptHost,
  mayMove: boolean,
): Promise<StagedOutputs> {
  const skipped: string[] = [];
  let staged: StagedOutput[] = [];
  let objects = 0;
  let bytes = 0;
  for (let at = 0; at < plan.length; at += OUTPUT_CHUNK) {
    if (host.signal.aborted) throw new SluiceError("STOPPING", "the attempt was ended while its outputs were staged");
    const part = plan.slice(at, at + OUTPUT_CHUNK);
    const batch = await stageBatch(part, folder, host, mayMove, skipped);
    objects += batch.length;
    bytes += batch.reduce((sum, { blob }) => sum + blob.sizeBytes, 0);
    staged = await handOver([...staged, ...batch], host);
  }
  return { rest: staged, objects, bytes, skipped };
}

/** Passes on full chunks as long as something is left for `finish`. */
async function handOver(staged: StagedOutput[], host: AttemptHost): Promise<StagedOutput[]> {
  let rest = staged;
  while (host.stageChunk && rest.length > OUTPUT_CHUNK) {
    await host.stageChunk(rest.slice(0, OUTPUT_CHUNK));
    rest = rest.slice(OUTPUT_CHUNK);
  }
  return rest;
}

async function stageBatch(
  part: readonly PlannedOutput[],
  folder: string,
  host: AttemptHost,
  mayMove: boolean,
  skipped: string[],
): Promise<StagedOutput[]> {
  const results: StagedOutput[][] = [];
  let next = 0;
  let failed = false;
  let sliceEnd = performance.now() + SLICE_MS;
  const work = async (): Promise<void> => {
    for (let index = next++; index < part.length && !failed; index = next++) {
      const planned = part[index];
      if (performance.now() > sliceEnd) {
        await setImmediate();
        sliceEnd = performance.now() + SLICE_MS;
      }
      if (planned !== undefined) results[index] = await stageOne(planned, folder, host, mayMove, skipped);
    }
  };
  const workers = Array.from({ length: Math.min(AT_ONCE, part.length) }, () =>
    work().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  // All of them must have stopped before the caller may discard what was staged.
  const ends = await Promise.allSettled(workers);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return results.flat();
}

async function stageOne(
  { file, targets, optional }: PlannedOutput,
  folder: string,
  host: AttemptHost,
  mayMove: boolean,
  skipped: string[],
): Promise<StagedOutput[]> {
  const [first, ...others] = targets;
  if (first === undefined) return [];
  try {
    const staged = await host.stageOutput(first, `${folder}/${file.name}`, mayMove && !file.isLinked ? "move" : "copy");
    crashPoint("output.staged");
    return [staged, ...others.map((to) => ({ ...staged, ...to }))];
  } catch (error) {
    if (!optional || !isSluiceError(error)) throw error;
    skipped.push(`an optional output was left out: ${error.message}`);
    return [];
  }
}
