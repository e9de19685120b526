/** Enough for a line that fits a listing, and for any secret before it to be recognised. */
const KEPT_BYTES = 4096;
const SHOWN_CHARACTERS = 200;
/** Shorter lines of a secret (`}`, `-----`) say nothing and would blot out half of every log. */
const SECRET_LINE_CHARACTERS = 8;
const NEWLINE = 0x0a;

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

  /** The last line that is not blank, its end when it is long, without control characters and with each of `secrets` as `***`; empty when there is
   *  none, or when a secret is so long that its end alone could stand here. */
  text(secrets: readonly string[]): string {
    if (secrets.some((secret) => secret.length > KEPT_BYTES / 2)) return "";
    const lines = hide(this.#tail.toString("utf8"), secrets).split(/[\r\n]+/);
    const last = lines.map((line) => line.replace(/\p{Cc}/gu, " ").trim()).findLast((line) => line !== "") ?? "";
    return last.length > SHOWN_CHARACTERS ? `…${last.slice(-SHOWN_CHARACTERS)}` : last;
  }
}

/** Whole secrets, and the lines of those that have several: a script prints them one by one. */
function hide(text: string, secrets: readonly string[]): string {
  const parts = secrets.flatMap((secret) => [
    secret,
    ...secret.split(/\r?\n/).filter((line) => line.length >= SECRET_LINE_CHARACTERS),
  ]);
  const longestFirst = parts.filter((part) => part !== "").toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((hidden, part) => hidden.replaceAll(part, "***"), text);
}
