/** What one run of a benchmark says. `floor` and `ratio` are null where the target is an absolute bound. */
export interface BenchResult {
  readonly value: number;
  readonly floor: number | null;
  readonly ratio: number | null;
  /** The target as people read it: `≤ 1.6 × floor`. */
  readonly target: string;
  readonly ok: boolean;
  readonly notes: readonly string[];
}

/** One benchmark: measures the product beside a floor or a peer in the same run. */
export interface Bench {
  readonly name: string;
  readonly unit: string;
  run(): Promise<BenchResult>;
}
