/** Enough for a line that fits a listing; longer lines are cut. */
const KEPT_BYTES = 2048;
const NEWLINE = 0x0a;
const SHOWN_CHARACTERS = 200;

/** Remembers the last line of a log while it streams by, for the sentence that says how the script ended. */
export class LastLine {
  #tail: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#tail =
      chunk.length >= KEPT_BYTES
        ? chunk.subarray(-KEPT_BYTES)
        : Buffer.concat([this.#tail, chunk]).subarray(-KEPT_BYTES);
  }

  /** The log ends in the middle of a line. */
  get isOpen(): boolean {
    return this.#tail.length > 0 && this.#tail[this.#tail.length - 1] !== NEWLINE;
  }

  /** The last line that is not blank, without control characters and with each of `secrets` as `***`; empty when there is none. */
  text(secrets: readonly string[]): string {
    const lines = this.#tail.toString("utf8").split(/[\r\n]+/);
    const last = lines.map((line) => line.replace(/\p{Cc}/gu, " ").trim()).findLast((line) => line !== "") ?? "";
    const hidden = secrets
      .filter((secret) => secret !== "")
      .reduce((line, secret) => line.replaceAll(secret, "***"), last);
    return hidden.length > SHOWN_CHARACTERS ? `${hidden.slice(0, SHOWN_CHARACTERS)}…` : hidden;
  }
}
