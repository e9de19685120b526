import type { StagedBlob } from "../core/object.ts";
import type { BlobFolder } from "./blob-folder.ts";
import { closeFile, syncFileData, writeFully } from "./disk-io.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { Durability } from "./durability.ts";
import { BodyHash } from "./hashing/body-hash.ts";
import type { HashThread } from "./hashing/hash-thread.ts";
import { UnhashedBlob } from "./unhashed-blob.ts";
import { WriteBehind } from "./write-behind.ts";

/** Written bytes are synced on the way, so that the sync at the end stays short and memory does not fill with unwritten pages. */
export const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

export interface WriterDeps {
  readonly folder: BlobFolder;
  readonly space: DiskSpace;
  readonly durability: Durability;
  readonly hashing: HashThread;
  /** Bodies up to this size go into the row. */
  readonly inlineBytes: number;
}

/** One body on its way to a blob: gathers, hashes, writes. */
export class BlobWriter {
  readonly #deps: WriterDeps;
  readonly #hash: BodyHash;
  readonly #blobId: string;
  readonly #behind = new WriteBehind((pieces, bytes) => this.#write(pieces, bytes));
  #fd: number | null = null;
  #unsynced = 0;

  /** @param announcedBytes 0 where nobody said */
  constructor(deps: WriterDeps, announcedBytes = 0) {
    this.#deps = deps;
    this.#hash = new BodyHash(deps.hashing, announcedBytes, 0, announcedBytes <= deps.inlineBytes);
    this.#blobId = deps.folder.newId();
  }

  /** Returns a promise only when a write must be waited for. */
  add(bytes: Uint8Array): void | Promise<void> {
    this.#hash.arrived(bytes);
    return this.#behind.add(bytes);
  }

  /** Makes what came durable. */
  async finish(): Promise<StagedBlob> {
    await this.#behind.settle();
    if (this.#fd === null && this.#hash.sizeBytes <= this.#deps.inlineBytes) {
      const inline = this.#behind.pending();
      if (this.#hash.isLate) return new UnhashedBlob(this.#blobId, inline);
      await this.#hash.written([inline.slice()]);
      return { ...(await this.#hash.facts(this.#blobId)), inline };
    }
    await this.#behind.end();
    const fd = this.#fd ?? -1;
    await this.#deps.durability.syncBlob(fd, this.#deps.folder.folderOf(this.#blobId));
    this.#fd = null;
    await closeFile(fd);
    return { ...(await this.#hash.facts(this.#blobId)), inline: null };
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.#behind.settle();
    this.#hash.drop();
    const fd = this.#fd;
    if (fd === null) return;
    this.#fd = null;
    await closeFile(fd);
    await this.#deps.folder.remove(this.#blobId);
  }

  async #write(pieces: readonly Uint8Array[], bytes: number): Promise<void> {
    await this.#deps.space.take(bytes);
    this.#fd ??= await this.#deps.folder.create(this.#blobId);
    await writeFully(this.#fd, pieces);
    await this.#hash.written(pieces);
    this.#unsynced += bytes;
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    this.#unsynced = 0;
    await this.#deps.durability.guard(syncFileData(this.#fd));
  }
}
