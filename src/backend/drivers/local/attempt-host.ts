import { setTimeout as sleep } from "node:timers/promises";
import { isSluiceError, SluiceError } from "../../../core/errors.ts";
import { type AttemptResult, NO_USAGE } from "../../../core/job.ts";
import { backoffMs } from "../../../lib/backoff.ts";
import { overwriteFile } from "../../../lib/overwrite-file.ts";
import { verifyInline } from "../../../objectstore/blob-check.ts";
import type { LeasedJob, StagedOutput } from "../../../state/state.ts";
import type { AttemptHost } from "../../../supervisor/attempt-host.ts";
import type { LocalBackendOptions } from "../local.ts";

export interface LocalHost extends AttemptHost {
  /** Ends an attempt whose supervisor failed, as an infrastructure fault. Does nothing when it has ended. */
  abandon(cause: unknown): Promise<void>;
}

interface HostOptions extends Pick<LocalBackendOptions, "state" | "blobs" | "logs" | "clock" | "log"> {
  /** Aborted when the attempt must end early. */
  readonly signal: AbortSignal;
  /** Aborted when the server can wait no longer: a finish that cannot be committed is then left to the next start. */
  readonly closing: AbortSignal;
  /** Called when the attempt's end is on its way to the database: every process of it is gone by then. May be called more than once. */
  ending(): void;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;
/** A defect is met again at every try: after these the outputs are given up, so that the attempt can end. */
const DEFECT_TRIES = 3;

/** The supervisor's view of this server, in-process: no byte of input or output is copied.
 *
 *  Who removes a staged blob that is not published: this host, as long as the state never heard of it; the state, once `finishAttempt` or
 *  `stageOutputs` named it and was refused; the sweep of the next start, when nobody knows whether a commit got through. */
export function localAttemptHost(leased: LeasedJob, options: HostOptions): LocalHost {
  const { lease, input } = leased;
  const { state, blobs, clock } = options;
  const writer = options.logs.writer(lease.jobId, lease.attempt);
  const unnamed = new Set<string>();
  const name = (outputs: readonly StagedOutput[]): void => {
    for (const { blob } of outputs) unnamed.delete(blob.blobId);
  };
  let ended = false;

  /** Tries until it is committed or refused for good: what a script did must not be lost to a full disk. */
  async function commit(
    result: AttemptResult,
    outputs: readonly StagedOutput[],
    log: Uint8Array | null,
  ): Promise<void> {
    let defects = 0;
    for (let tries = 1; ; tries += 1) {
      try {
        const committed = state.finishAttempt(lease, result, outputs, log, clock.now());
        // Whoever takes the place is leased behind this call, so in the same commit: one wait for the disk for both, and none between them.
        options.ending();
        await committed;
        return;
      } catch (error) {
        if (isSluiceError(error, "LEASE_STALE") || options.closing.aborted) throw error;
        options.log.warn("an attempt's end could not be committed, trying again", { job: lease.jobId, tries, error });
        if (!isSluiceError(error, "DISK_FULL")) defects += 1;
        if (defects >= DEFECT_TRIES && outputs.length > 0) return commit(unpublished(result, error), [], log);
        await pause(FIRST_RETRY_MS + backoffMs(tries, FIRST_RETRY_MS, LONGEST_RETRY_MS), options.closing);
      }
    }
  }

  async function finish(result: AttemptResult, outputs: readonly StagedOutput[]): Promise<void> {
    if (ended)
      throw new SluiceError("LEASE_STALE", `Cannot finish job "${lease.jobId}": attempt ${lease.attempt} has ended`);
    ended = true;
    name(outputs);
    try {
      await commit(result, outputs, await writer.finish());
      await writer.release();
    } catch (error) {
      if (isSluiceError(error, "LEASE_STALE")) await writer.discard();
      throw error;
    } finally {
      if (unnamed.size > 0) await blobs.discard([...unnamed]);
    }
  }

  return {
    signal: options.signal,
    async input(scratchFolder) {
      if (input === null)
        throw new SluiceError("INTERNAL", `Cannot stage the input of job "${lease.jobId}": it has none`);
      if (input.blob.kind !== "inline") return blobs.materialise(input, scratchFolder);
      verifyInline(input.blob.bytes, input);
      const path = `${scratchFolder}/input`;
      overwriteFile(path, input.blob.bytes);
      return path;
    },
    async stageOutput(target, path, how) {
      const blob = await blobs.adopt(path, how);
      if (blob.inline === null) unnamed.add(blob.blobId);
      return { ...target, blob };
    },
    stageChunk(outputs) {
      name(outputs);
      return state.stageOutputs(lease, outputs);
    },
    log: (chunk) => writer.write(chunk),
    started: () => state.startAttempt(lease, clock.now()),
    finish,
    async abandon(cause) {
      if (ended) return;
      const message = `Cannot run the attempt: ${cause instanceof SluiceError ? cause.message : "a defect in the server (its log has the details)"}`;
      await finish({ outcome: "infrastructure", message, exitCode: null, signal: null, usage: NO_USAGE }, []).catch(
        (error: unknown) => {
          if (!isSluiceError(error, "LEASE_STALE")) throw error;
        },
      );
    },
  };
}

function unpublished(result: AttemptResult, error: unknown): AttemptResult {
  const why = isSluiceError(error) ? error.message : "a defect in the server (its log has the details)";
  return { ...result, outcome: "infrastructure", message: `Cannot publish the outputs: ${why}` };
}

async function pause(delayMs: number, until: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal: until }).catch(() => {});
}
