import type { Log } from "../lib/log.ts";
import type { DiskReserve } from "../state/disk-reserve.ts";

const LOOK_EVERY_MS = 10_000;

/** Makes the reserve whole again once there is room for it. Returns the way to stop. */
export function keepReserve(reserve: Pick<DiskReserve, "restore">, log: Log, everyMs = LOOK_EVERY_MS): () => void {
  const timer = setInterval(() => {
    try {
      reserve.restore();
    } catch (error) {
      log.warn("the disk reserve could not be made again", { error });
    }
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
