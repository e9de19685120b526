import { setTimeout as sleep } from "node:timers/promises";
import type { ErrorCode, SluiceError } from "../core/errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import { asSluiceError } from "./failure.ts";

/** Small files are waiting time, not bandwidth: enough at once to hide it, few enough to be polite. */
export const PARALLEL_TRANSFERS = 8;
const TRIES = 5;

/** Failures that every other transfer would meet too. */
const FATAL: readonly ErrorCode[] = [
  "UNREACHABLE",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "BUCKET_UNKNOWN",
  "DISK_FULL",
  "STOPPING",
  "HOST_REFUSED",
];

export interface TransferFailure {
  readonly name: string;
  readonly error: SluiceError;
}

/** Runs `one` for every item, a few at once. A failure of one item leaves the others going; one that all would meet ends the whole.
 *  @throws SluiceError of the kinds in FATAL */
export async function transferAll<T>(
  items: readonly T[],
  name: (item: T) => string,
  one: (item: T) => Promise<void>,
): Promise<readonly TransferFailure[]> {
  const failures: TransferFailure[] = [];
  let fatal: SluiceError | null = null;
  // One iterator, shared: whoever is free takes the next item.
  const queue = items.values();
  const carry = async (): Promise<void> => {
    for (const item of queue) {
      if (fatal !== null) return;
      await one(item).catch((thrown: unknown) => {
        const error = asSluiceError(thrown);
        if (FATAL.includes(error.code)) fatal = error;
        else failures.push({ name: name(item), error });
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_TRANSFERS, items.length) }, carry));
  if (fatal !== null) throw fatal;
  return failures;
}

/** Tries again, up to five times with backoff, while the failure is one that can pass. */
export async function patiently<T>(
  task: () => Promise<T>,
  wait: (ms: number) => Promise<unknown> = (ms) => sleep(ms),
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await task();
    } catch (thrown) {
      const error = asSluiceError(thrown);
      if (!canPass(error) || tries === TRIES) throw error;
      await wait(backoffMs(tries, 200, 5000));
    }
  }
}

const canPass = (error: SluiceError): boolean =>
  error.retryable && error.code !== "INTERNAL" && error.code !== "DISK_FULL";
