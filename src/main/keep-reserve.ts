import type { Log } from "../lib/log.ts";
import type { DiskReserve } from "../state/disk-reserve.ts";

const LOOK_EVERY_MS = 10_000;

/** Makes the reserve, and again whenever it was given up and there is room for it. Nobody waits for its 64 MiB: a slow disk takes a second for
 *  them. Returns the way to stop, which waits for a file that is being made. */
export function keepReserve(
  reserve: Pick<DiskReserve, "restore">,
  log: Log,
  everyMs = LOOK_EVERY_MS,
): () => Promise<void> {
  let looking: Promise<void> | null = null;
  const look = async (): Promise<void> => {
    try {
      await reserve.restore();
    } catch (error) {
      log.warn("the disk reserve could not be made", { error });
    }
    looking = null;
  };
  const lookUnlessLooking = (): void => {
    looking ??= look();
  };
  lookUnlessLooking();
  const timer = setInterval(lookUnlessLooking, everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await looking;
  };
}
