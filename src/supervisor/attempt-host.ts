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

/** The supervisor's whole view of the world: it knows neither the store nor the queue. Transports: in-process; later HTTP and manifests. */
export interface AttemptHost {
  /** A path of the input's bytes that a sandbox can bind read-only; never a copy on the local backend. */
  input(): Promise<string>;
  /** Takes a file over (by rename where `move` is allowed, else by copy) and makes it durable; nobody can see it yet. */
  stageOutput(target: { bucket: string; key: string }, path: string, how: "move" | "copy"): Promise<StagedOutput>;
  /** Appends to the attempt's log; resolves when the writer may go on. */
  log(chunk: Uint8Array): void | Promise<void>;
  /** Aborted when the attempt must end early; `reason` is an AbortReason. */
  readonly signal: AbortSignal;
  /** Says that the script runs now (LEASED → RUNNING). */
  started(): Promise<void>;
  /** Ends the attempt. With `ok`, publishes the outputs with the job's success, or nothing. @throws SluiceError LEASE_STALE */
  finish(result: AttemptResult, outputs: readonly StagedOutput[]): Promise<void>;
}

/** Why an attempt is ended from outside. */
export type AbortReason = "cancelled" | "stopped" | "lost";
