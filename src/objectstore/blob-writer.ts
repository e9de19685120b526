import type { StagedBlob } from "../core/object.ts";
import type { BlobFolder } from "./blob-folder.ts";
import { BlobHash } from "./blob-hash.ts";
import { closeFile, syncFileData, writeFully } from "./disk-io.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { Durability } from "./durability.ts";

/** Bytes gathered before they are written in one call; also the most that a body may have to be stored without a file being open while it
 *  arrives. */
const GATHER_BYTES = 256 * 1024;
/** Written bytes are synced on the way, so that the sync at the end stays short and memory does not fill with unwritten pages. */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

export interface WriterDeps {
  readonly folder: BlobFolder;
  readonly space: DiskSpace;
  readonly durability: Durability;
  /** Bodies up to this size go into the row. */
  readonly inlineBytes: number;
}

/** One body on its way to a blob: gathers, hashes, writes. At most one write is under way while the next bytes are gathered. */
export class BlobWriter {
  readonly #deps: WriterDeps;
  readonly #hash = new BlobHash();
  readonly #blobId: string;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #fd: number | null = null;
  #writing: Promise<void> | null = null;
  #unsynced = 0;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
    this.#blobId = deps.folder.newId();
  }

  /** Returns a promise only when a write must be waited for. */
  add(bytes: Uint8Array): void | Promise<void> {
    this.#hash.update(bytes);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    return this.#pendingBytes < GATHER_BYTES ? undefined : this.#flush();
  }

  /** Makes what came durable. */
  async finish(): Promise<StagedBlob> {
    if (this.#fd === null && this.#hash.sizeBytes <= this.#deps.inlineBytes) {
      return { ...this.#hash.facts(this.#blobId), inline: joined(this.#pending, this.#pendingBytes) };
    }
    await this.#flush();
    await this.#writing;
    const fd = this.#fd ?? -1;
    await this.#deps.durability.syncBlob(fd, this.#deps.folder.folderOf(this.#blobId));
    this.#fd = null;
    await closeFile(fd);
    return { ...this.#hash.facts(this.#blobId), inline: null };
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    const fd = this.#fd;
    if (fd === null) return;
    this.#fd = null;
    await closeFile(fd);
    await this.#deps.folder.remove(this.#blobId);
  }

  async #flush(): Promise<void> {
    const pieces = this.#pending;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#deps.space.take(bytes);
    this.#fd ??= await this.#deps.folder.create(this.#blobId);
    await this.#writing;
    this.#writing = this.#write(this.#fd, pieces, bytes);
    // Its failure is met where it is awaited; until then it must not count as unhandled.
    this.#writing.catch(() => undefined);
  }

  async #write(fd: number, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
    await writeFully(fd, pieces);
    this.#unsynced += bytes;
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    this.#unsynced = 0;
    await this.#deps.durability.guard(syncFileData(fd));
  }
}

/** A buffer of its own, because a view would carry its whole pool to another thread. */
function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
