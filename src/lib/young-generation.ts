import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** What the young generation may take under load: from here on twice as much saves less than 1 % of a job's processor time. */
const ENOUGH_BYTES = 8 * 1024 * 1024;

/** The factor by which V8 may make a young generation of this size larger; 1 keeps it as it is. */
export const growthFactor = (bytes: number): 1 | 2 => (bytes < ENOUGH_BYTES ? 2 : 1);

/** Lets V8's young generation grow to 8 MiB under load and no further. V8 itself knows no bound that can be
 *  set once the process runs: it doubles up to 134 MB. So each collection (one a MiB or more) is followed by a look at what it has now; without load
 *  V8 makes it small again. For the process as a whole: its main thread's heap decides. */
export function boundYoungGeneration(): void {
  let factor = 0;
  const look = (): void => {
    const wanted = growthFactor(youngBytes());
    if (wanted !== factor) setFlagsFromString(`--semi-space-growth-factor=${wanted}`);
    factor = wanted;
  };
  new PerformanceObserver(look).observe({ entryTypes: ["gc"] });
  look();
}

/** What V8 holds for the young generation of this thread. */
function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0;
}
