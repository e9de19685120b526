/** Lets one loop sleep until something happens or time passes. Rings that come while nobody waits are kept as one. */
export class Wake {
  #rung = false;
  #waiter: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#waiter?.();
  }

  /** Resolves with true after a ring, with false after `ms`. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiter = resolve;
      const timer = setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
      this.#waiter = null;
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}
