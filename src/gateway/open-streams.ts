import { SluiceError } from "../core/errors.ts";

/** Streams that may be open at once; each holds a socket and reads the log for itself. */
const MOST_STREAMS = 512;
/** Disabling a user, a token or a key ends the streams it opened within this time. */
const RECHECK_MS = 5000;

/** The answers that last: change streams and followed logs. */
export class OpenStreams {
  readonly #open = new Set<AbortController>();

  /** Counts a stream in until `controller` aborts, which this does itself when the credential no longer holds or the server closes.
   *  @throws SluiceError OVERLOADED */
  admit(controller: AbortController, stillHolds: () => Promise<boolean>): void {
    if (this.#open.size >= MOST_STREAMS) {
      throw new SluiceError(
        "OVERLOADED",
        `Cannot open another stream: ${MOST_STREAMS} are open (close one, or try later)`,
      );
    }
    this.#open.add(controller);
    const check = setInterval(() => void this.#check(controller, stillHolds), RECHECK_MS);
    check.unref();
    controller.signal.addEventListener("abort", () => {
      clearInterval(check);
      this.#open.delete(controller);
    });
  }

  closeAll(): void {
    for (const controller of [...this.#open]) controller.abort();
  }

  async #check(controller: AbortController, stillHolds: () => Promise<boolean>): Promise<void> {
    // When identities cannot be read, nobody can tell that the credential is still good.
    const holds = await stillHolds().catch(() => false);
    if (!holds) controller.abort();
  }
}
