/** Work that many callers want and one does: it goes on as long as one of them waits. */
export class SharedWork<Result> {
  readonly #abort = new AbortController();
  readonly #result: Promise<Result>;
  #waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<Result>) {
    this.#result = work(this.#abort.signal);
    // Whoever waits hears of it; when nobody does any more, nobody wants to.
    this.#result.catch(() => {});
  }

  /** False once the last caller has left: then it is ending, and new callers need new work after its end. */
  get isWanted(): boolean {
    return !this.#abort.signal.aborted;
  }

  /** Resolves when the work has ended, in whatever way. */
  async settled(): Promise<void> {
    await this.#result.then(
      () => {},
      () => {},
    );
  }

  /** As `wait`; of work that nobody waits for any more the end is awaited, and told as if it had been well. */
  async join(signal: AbortSignal): Promise<void> {
    if (this.isWanted) await this.wait(signal);
    else await this.settled();
    signal.throwIfAborted();
  }

  /** @throws what the work throws; the signal's reason */
  async wait(signal: AbortSignal): Promise<Result> {
    // It was begun for somebody who has left by now.
    if (signal.aborted) this.#endUnlessWanted();
    signal.throwIfAborted();
    this.#waiting += 1;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([this.#result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      this.#waiting -= 1;
      this.#endUnlessWanted();
    }
  }

  #endUnlessWanted(): void {
    if (this.#waiting === 0) this.#abort.abort(new Error("nobody waits for it any more"));
  }
}
