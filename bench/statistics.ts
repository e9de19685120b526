/** The value below which a share of the samples lies (nearest rank). `share` in (0, 1]. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error("Cannot take a percentile of no samples");
  return value;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);
