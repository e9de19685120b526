import type { BlobFacts } from "../../core/object.ts";
import { BlobHash } from "../blob-hash.ts";
import type { HashThread, ThreadedHash } from "./hash-thread.ts";

/** Bodies that are announced with as much are hashed beside the main thread; for smaller ones the way there is longer than the work. */
const THREADED_FROM_BYTES = 4 * 1024 * 1024;

/** The hash of a body on its way to the disk: here while pieces arrive, or in a thread once they are written. */
export class BodyHash {
  readonly #here: BlobHash | null;
  readonly #there: ThreadedHash | null;
  /** Bytes are hashed when they are written; those that never are, by somebody else. */
  readonly isLate: boolean;
  #size = 0;

  /** @param announcedBytes 0 where nobody said @param startsAt as in `BlobHash` */
  constructor(thread: HashThread, announcedBytes: number, startsAt = 0, isLate = false) {
    this.isLate = isLate;
    this.#there = announcedBytes >= THREADED_FROM_BYTES ? thread.open(startsAt) : null;
    this.#here = this.#there === null ? new BlobHash(startsAt) : null;
  }

  get sizeBytes(): number {
    return this.#size;
  }

  /** To be told of each piece as it comes. */
  arrived(piece: Uint8Array): void {
    this.#size += piece.length;
    if (!this.isLate) this.#here?.update(piece);
  }

  /** To be told of the same pieces, in the same order, when nobody else needs them any more. Returns a promise only when the writer must wait. */
  written(pieces: readonly Uint8Array[]): void | Promise<void> {
    if (this.isLate) for (const piece of pieces) this.#here?.update(piece);
    return this.#there?.add(pieces);
  }

  /** Ends the hash; every piece was written. */
  async facts(blobId: string): Promise<BlobFacts> {
    return this.#there === null ? (this.#here as BlobHash).facts(blobId) : await this.#there.facts(blobId);
  }

  /** Does nothing after `facts`. */
  drop(): void {
    this.#there?.drop();
  }
}
