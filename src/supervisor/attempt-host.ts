import type { FileEvent } from "../core/file-event.ts";
import type { AttemptResult, Job, Lease } from "../core/job.ts";
import type { Revision } from "../core/service.ts";
import type { StagedOutput } from "../state/state.ts";

/** What the supervisor is told about the attempt. */
export interface AttemptOrder {
  readonly lease: Lease;
  readonly job: Job;
  readonly revision: Revision;
  readonly event: FileEvent;
  /** The name is the key's; the supervisor makes the file name of it (decision 11). Null when the event has no input. */
  readonly input: { readonly name: string; readonly sizeBytes: number } | null;
  readonly token: string;
}

/** Where an output goes, and what is known of it by its name. */
export interface OutputTarget {
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string;
}

/** The supervisor's whole view of the world: it knows neither the store nor the queue. Transports: in-process; later HTTP and manifests. */
export interface AttemptHost {
  /** A path of the input's bytes that a sandbox can bind read-only; never a copy of a blob file on the local backend. Where the bytes are no
   *  file yet, one is made in `scratchFolder`, which only this attempt has. Not called for an order without input. */
  input(scratchFolder: string): Promise<string>;
  /** Takes a file over (by rename where `move` is allowed, else by copy) and makes it durable; nobody can see it yet. */
  stageOutput(target: OutputTarget, path: string, how: "move" | "copy"): Promise<StagedOutput>;
  /** Hands over a part of very many outputs (at most `OUTPUT_CHUNK`) before `finish`, which then takes the rest; they become visible together.
   *  Where it is absent, `finish` takes any number. @throws SluiceError LEASE_STALE */
  stageChunk?(outputs: readonly StagedOutput[]): Promise<void>;
  /** Appends to the attempt's log; resolves when the writer may go on. */
  log(chunk: Uint8Array): void | Promise<void>;
  /** Aborted when the attempt must end early; `reason` is an AbortReason. */
  readonly signal: AbortSignal;
  /** Says that the script runs now (LEASED → RUNNING). */
  started(): Promise<void>;
  /** Ends the attempt. With `ok`, publishes the outputs with the job's success, or nothing. @throws SluiceError LEASE_STALE */
  finish(result: AttemptResult, outputs: readonly StagedOutput[]): Promise<void>;
}

/** Most outputs that `finish` takes where the host has `stageChunk` (decision 14). */
export const OUTPUT_CHUNK = 1000;

/** Why an attempt is ended from outside. */
export type AbortReason = "cancelled" | "stopped" | "lost";
