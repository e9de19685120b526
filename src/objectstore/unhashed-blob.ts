import type { StagedBlob } from "../core/object.ts";
import { hashSmall, type SmallHash } from "../lib/hash-small.ts";

/** A small body that goes into the row, hashed by whoever needs that first: the database's thread, which has the time, or this one. */
export class UnhashedBlob implements StagedBlob {
  readonly isUnhashed = true;
  readonly blobId: string;
  readonly inline: Uint8Array;
  #hash: SmallHash | null = null;

  /** @param inline at most 1 MiB */
  constructor(blobId: string, inline: Uint8Array) {
    [this.blobId, this.inline] = [blobId, inline];
  }

  get sizeBytes(): number {
    return this.inline.length;
  }

  get md5(): string {
    return this.#hashed().md5;
  }

  get blockCrc32c(): Uint8Array {
    return this.#hashed().blockCrc32c;
  }

  #hashed(): SmallHash {
    this.#hash ??= hashSmall(this.inline);
    return this.#hash;
  }
}
