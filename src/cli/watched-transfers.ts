import type { Io } from "./io.ts";
import { bar, progressLine } from "./progress.ts";
import { counted } from "./text.ts";
import { type TransferFailure, transferAll } from "./transfers.ts";
import { bytesText, durationText } from "./units.ts";

export interface TransferResult {
  readonly failures: readonly TransferFailure[];
  /** `3 files, 1.2 MiB`, of what was done. */
  readonly amount: string;
  /** `0.8 s` */
  readonly took: string;
}

/** Runs transfers with a progress bar over all their bytes. @throws SluiceError as `transferAll` does */
export async function watchTransfers<T extends { readonly sizeBytes: number }>(
  io: Io,
  items: readonly T[],
  name: (item: T) => string,
  one: (item: T, onBytes: (count: number) => void) => Promise<void>,
): Promise<TransferResult> {
  const startedAt = performance.now();
  const progress = progressLine(io);
  const total = items.reduce((sum, item) => sum + item.sizeBytes, 0);
  let bytes = 0;
  let done = 0;
  const onBytes = (count: number): void => {
    bytes += count;
    progress.update(() => {
      const amount = `${bytesText(bytes)} of ${bytesText(total)}`;
      return `${bar(bytes, total)}  ${amount}  ${done} of ${counted(items.length, "file")}`;
    });
  };
  try {
    const failures = await transferAll(items, name, async (item) => {
      await one(item, onBytes);
      done += 1;
    });
    const took = durationText(performance.now() - startedAt);
    return { failures, amount: `${counted(done, "file")}, ${bytesText(bytes)}`, took };
  } finally {
    progress.clear();
  }
}
