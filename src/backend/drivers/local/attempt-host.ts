import { setTimeout as sleep } from "node:timers/promises";
import { isSluiceError, SluiceError } from "../../../core/errors.ts";
import { type AttemptResult, NO_USAGE } from "../../../core/job.ts";
import { backoffMs } from "../../../lib/backoff.ts";
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
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;

/** The supervisor's view of this server, in-process: no byte of input or output is copied. */
export function localAttemptHost(leased: LeasedJob, options: HostOptions): LocalHost {
  const { lease, input } = leased;
  const { state, blobs, clock } = options;
  const writer = options.logs.writer(lease.jobId, lease.attempt);
  let ended = false;

  /** The outcome must not be lost to a full disk or a busy database: it is tried until it is committed or refused for good. */
  async function commit(
    result: AttemptResult,
    outputs: readonly StagedOutput[],
    shortLog: Uint8Array | null,
  ): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await state.finishAttempt(lease, result, outputs, shortLog, clock.now());
        return;
      } catch (error) {
        if (!isSluiceError(error) || !error.retryable || options.closing.aborted) throw error;
        options.log.warn("an attempt's end could not be committed, trying again", { job: lease.jobId, tries, error });
        await sleep(backoffMs(tries, FIRST_RETRY_MS, LONGEST_RETRY_MS), undefined, { signal: options.closing }).catch(
          () => {},
        );
      }
    }
  }

  async function finish(result: AttemptResult, outputs: readonly StagedOutput[]): Promise<void> {
    if (ended)
      throw new SluiceError("LEASE_STALE", `Cannot finish job "${lease.jobId}": attempt ${lease.attempt} has ended`);
    ended = true;
    try {
      await commit(result, outputs, await writer.finish());
      await writer.release();
    } catch (error) {
      await blobs.discard([...new Set(outputs.map((output) => output.blob.blobId))]);
      if (isSluiceError(error, "LEASE_STALE")) await writer.discard();
      throw error;
    }
  }

  return {
    signal: options.signal,
    async input(scratchFolder) {
      if (input === null)
        throw new SluiceError("INTERNAL", `Cannot stage the input of job "${lease.jobId}": it has none`);
      return blobs.materialise(input.blob, scratchFolder);
    },
    async stageOutput(target, path, how) {
      return { ...target, blob: await blobs.adopt(path, how) };
    },
    stageChunk: (outputs) => state.stageOutputs(lease, outputs),
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
