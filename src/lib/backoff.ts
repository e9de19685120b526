/** Milliseconds to wait before attempt `n` (the first retry is 1), full jitter: uniform in [0, min(capMs, baseMs · 2^(n−1))).
 *  @see Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 */
export function backoffMs(n: number, baseMs = 100, capMs = 30_000, random: () => number = Math.random): number {
  return n <= 0 ? 0 : random() * Math.min(capMs, baseMs * 2 ** (n - 1));
}
