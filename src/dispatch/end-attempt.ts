import { isSluiceError } from "../core/errors.ts";
import { type Lease, NO_USAGE, type Reason } from "../core/job.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";

export interface EndAttemptPorts {
  readonly state: Pick<State, "finishAttempt">;
  readonly clock: Clock;
  readonly log: Log;
}

/** How the server itself ends an attempt. */
export interface ServerEnd {
  readonly outcome: Extract<Reason, "lost" | "infrastructure" | "stopped" | "cancelled">;
  readonly message: string;
}

const RETRY_MIN_MS = 50;
const RETRY_CAP_MS = 10_000;

/** Ends an attempt that no supervisor will end: one that was never started, or whose worker is lost. Goes on trying until it is committed, because an
 *  attempt left open would hold its job in RUNNING for ever; gives up when somebody else ended it (LEASE_STALE) or `signal` aborts.
 *  Resolves true when this call ended it; never rejects. */
export async function endAttempt(
  { state, clock, log }: EndAttemptPorts,
  lease: Lease,
  { outcome, message }: ServerEnd,
  signal: AbortSignal,
): Promise<boolean> {
  const result = { outcome, message, exitCode: null, signal: null, usage: NO_USAGE };
  for (let tries = 1; !signal.aborted; tries += 1) {
    try {
      await state.finishAttempt(lease, result, [], null, clock.now());
      return true;
    } catch (error) {
      if (isSluiceError(error, "LEASE_STALE")) return false;
      log.warn("an attempt cannot be ended yet", { jobId: lease.jobId, attempt: lease.attempt, outcome, error, tries });
      await pause(RETRY_MIN_MS + backoffMs(tries, RETRY_MIN_MS, RETRY_CAP_MS), signal);
    }
  }
  return false;
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, delayMs);
    timer.unref();
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
