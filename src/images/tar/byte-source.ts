import { invalidArchive } from "./tar-header.ts";

/** Takes exact numbers of bytes from pieces of any size. */
export class ByteSource {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();
  #taken = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#taken;
  }

  /** Exactly `count` bytes; null when the source ended before the first of them.
   *  @throws SluiceError IMAGE_INVALID when it ends in the middle */
  async take(count: number): Promise<Buffer | null> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      const part = await this.upTo(missing);
      if (part === null) {
        if (missing === count) return null;
        throw invalidArchive("it ends in the middle of a member");
      }
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 && parts[0] !== undefined
      ? Buffer.from(parts[0].buffer, parts[0].byteOffset, count)
      : Buffer.concat(parts);
  }

  /** At least one and at most `count` bytes, as they come; null at the end. */
  async upTo(count: number): Promise<Uint8Array | null> {
    while (this.#rest.length === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) return null;
      this.#rest = next.value;
    }
    const part = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(part.length);
    this.#taken += part.length;
    return part;
  }

  /** Exactly `count` bytes, in pieces. @throws SluiceError IMAGE_INVALID when it ends before */
  async *stream(count: number): AsyncGenerator<Uint8Array> {
    let left = count;
    while (left > 0) {
      const part = await this.upTo(left);
      if (part === null) throw invalidArchive("it ends in the middle of a member");
      left -= part.length;
      yield part;
    }
  }

  /** Lets the source go, read to its end or not. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
