import type { Log } from "../lib/log.ts";

/** What was opened, to be closed in the opposite order. One that fails does not keep the others open. */
export class Closers {
  readonly #log: Log;
  readonly #steps: Array<{ readonly name: string; readonly close: () => Promise<void> | void }> = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close });
  }

  /** Adds a part that is still being opened; one that could not be opened needs no closing. Whoever awaits it hears why it failed. */
  addOpening<Part>(name: string, opening: Promise<Part>, close: (part: Part) => Promise<void> | void): void {
    const opened = opening.then(
      (part) => () => close(part),
      () => () => undefined,
    );
    this.add(name, async () => (await opened)());
  }

  /** Closes all; a second call does nothing. */
  async close(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.close();
      } catch (error) {
        this.#log.error("a part of the server could not be closed", { part: step.name, error });
      }
    }
  }
}
