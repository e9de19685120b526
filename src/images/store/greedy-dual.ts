/** What a cache knows of something it keeps. */
export interface Cached {
  /** The cache's clock when it was used last. */
  readonly stamp: number;
  readonly uses: number;
  /** What it takes to get it again, ms. */
  readonly costMs: number;
  /** What its removal frees, bytes. */
  readonly freedBytes: number;
}

/** Greedy-Dual-Size-Frequency: what is removed first is of least use for its size. The clock goes up with each removal, so that what was used often
 *  long ago does not stay for ever.
 *  @see Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", 1998; FaasCache, ASPLOS 2021 */
export function priorityOf({ stamp, uses, costMs, freedBytes }: Cached): number {
  return stamp + (uses * Math.max(costMs, 1)) / Math.max(freedBytes, 1);
}

/** The one to be removed first; null when there is none. */
export function leastUseful<T>(
  candidates: Iterable<T>,
  cachedOf: (candidate: T) => Cached,
): { readonly victim: T; readonly priority: number } | null {
  let least: { victim: T; priority: number } | null = null;
  for (const victim of candidates) {
    const priority = priorityOf(cachedOf(victim));
    if (least === null || priority < least.priority) least = { victim, priority };
  }
  return least;
}
