import { type AttemptOptions, runAttempt } from "./attempt.ts";
import { AttemptFolders } from "./attempt-folders.ts";
import type { AttemptHost, AttemptOrder } from "./attempt-host.ts";

export interface SupervisorOptions extends Omit<AttemptOptions, "folders"> {
  /** `DIR/work`, on the store's file system, made ready by `prepareWorkFolder`. */
  readonly workFolder: string;
  /** Group of the sandboxes' users, when the server is root. Default null. */
  readonly slotsGid?: number | null;
}

/** Runs attempts on this machine. */
export interface Supervisor {
  /** Runs one attempt to its end and reports it with one `finish`, whatever happens: a script's failure, an early end from outside, a fault of
   *  this machine. Resolves when nothing of it is left: no process, no file. An attempt that was superseded is dropped without an error.
   *  @throws what `host.finish` throws, LEASE_STALE apart */
  run(order: AttemptOrder, host: AttemptHost): Promise<void>;
  /** Removes the empty folders that are kept for the next attempts. Nothing may run any more. */
  close(): Promise<void>;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const folders = new AttemptFolders(options.workFolder, options.slotsGid ?? null, options.log);
  return {
    run: (order, host) => runAttempt(order, host, { ...options, folders }),
    close: () => folders.close(),
  };
}
