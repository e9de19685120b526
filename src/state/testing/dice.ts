/** Random numbers that a seed repeats.
 *  @see https://en.wikipedia.org/wiki/Linear_congruential_generator (Numerical Recipes' constants) */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
  pick<T>(values: readonly T[]): T | undefined {
    return values[this.below(values.length)];
  }
}
