import { isSluiceError } from "../../../core/errors.ts";
import type { StagedOutput, State } from "../../state.ts";
import { ownBytes, ownOutputs } from "./staged-bytes.ts";

/** Outputs of one transaction: more would keep other writers waiting. */
const MAX_OUTPUTS = 1000;

/** `finishAttempt` for any number of outputs: those beyond one transaction's share are staged first. */
export function finishCall(state: Pick<State, "stageOutputs" | "finishAttempt">): State["finishAttempt"] {
  return async (lease, result, outputs, log, now) => {
    const chunks = chunksOf(outputs);
    const last = chunks.pop() ?? [];
    for (const [index, chunk] of chunks.entries()) {
      try {
        await state.stageOutputs(lease, chunk);
      } catch (error) {
        if (isSluiceError(error, "LEASE_STALE")) await discard(state, lease, [...chunks.slice(index + 1), last]);
        throw error;
      }
    }
    return state.finishAttempt(lease, result, ownOutputs(last), ownBytes(log), now);
  };
}

/** A stale call makes what it brings garbage; the chunks that were not sent yet must become garbage too. */
async function discard(
  state: Pick<State, "stageOutputs">,
  lease: Parameters<State["stageOutputs"]>[0],
  chunks: readonly (readonly StagedOutput[])[],
): Promise<void> {
  for (const chunk of chunks) {
    try {
      await state.stageOutputs(lease, chunk);
    } catch (error) {
      if (!isSluiceError(error, "LEASE_STALE")) throw error;
    }
  }
}

function chunksOf(outputs: readonly StagedOutput[]): (readonly StagedOutput[])[] {
  const chunks: (readonly StagedOutput[])[] = [];
  for (let at = 0; at < outputs.length; at += MAX_OUTPUTS) chunks.push(outputs.slice(at, at + MAX_OUTPUTS));
  return chunks;
}
