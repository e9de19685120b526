import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { SluiceError } from "../core/errors.ts";
import { BLOCK_BYTES, type BlobRef, type StagedBlob } from "../core/object.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { adoptFile } from "./blob-adopter.ts";
import { checkUnlessRecent, verifyInline } from "./blob-check.ts";
import { BlobFolder, blobAccess } from "./blob-folder.ts";
import { pourBlob, type Write } from "./blob-pour.ts";
import { BlobReadable, type BlobSource, readSmallBlob, verifyBlock } from "./blob-reader.ts";
import { BlobWriter, type WriterDeps } from "./blob-writer.ts";
import type { BlobStore } from "./blobs.ts";
import { closeFile, openFile } from "./disk-io.ts";
import { DiskSpace } from "./disk-space.ts";
import { Durability, endProcess } from "./durability.ts";
import { FolderSync } from "./folder-sync.ts";
import { HashThread } from "./hashing/hash-thread.ts";
import { FileParts, type FilePartsDeps } from "./multipart/file-parts.ts";
import { Scrub, type ScrubOptions } from "./scrub/scrub.ts";
import { StoreCheck, type StoreCheckDeps } from "./scrub/store-check.ts";

export interface FileBlobsOptions {
  /** Made when absent; its parent must exist and let the slots through. */
  readonly folder: string;
  /** The group that may read blobs (decision 1), or null for nobody but the server. */
  readonly slotsGid: number | null;
  /** Blobs up to this size go into their row, empty ones always. Default 32 KiB (the server sets `store.inline_bytes`); uploads beyond 256 KiB become files all the same. */
  readonly inlineBytes?: number;
  /** Bytes that uploads must leave free. Default null: 5 % of the file system, at least 1 GiB. */
  readonly keepFreeBytes?: number | null;
  /** Called at every ENOSPC, before DISK_FULL is thrown. */
  readonly onDiskFull?: () => void;
  /** Called when an fsync failed. Default: one line on stderr, exit 70. */
  readonly onSyncError?: (error: SluiceError) => void;
  readonly clock?: Clock;
}

/** Measured in docs/decisions/0002-inline-objects.md. */
const INLINE_BYTES = 32 * 1024;

/** A blob store on a folder. */
export class FileBlobs implements BlobStore {
  readonly #deps: WriterDeps;
  readonly #folders: FolderSync;
  readonly #clock: Clock;

  private constructor(deps: WriterDeps, folders: FolderSync, clock: Clock) {
    this.#deps = deps;
    this.#folders = folders;
    this.#clock = clock;
  }

  static async open(options: FileBlobsOptions): Promise<FileBlobs> {
    const clock = options.clock ?? systemClock;
    const folder = await BlobFolder.open(options.folder, blobAccess(options.slotsGid));
    const folders = new FolderSync();
    const space = new DiskSpace({
      folder: options.folder,
      keepFreeBytes: options.keepFreeBytes ?? null,
      onDiskFull: options.onDiskFull ?? (() => undefined),
      clock,
    });
    const durability = new Durability(folders, options.onSyncError ?? endProcess);
    await durability.guard(folders.sync(options.folder));
    await durability.guard(folders.sync(dirname(options.folder)));
    const deps = {
      folder,
      space,
      durability,
      hashing: new HashThread(),
      inlineBytes: options.inlineBytes ?? INLINE_BYTES,
    };
    return new FileBlobs(deps, folders, clock);
  }

  async stage(source: AsyncIterable<Uint8Array>, expectedBytes = 0): Promise<StagedBlob> {
    await this.#deps.space.check(expectedBytes);
    const writer = new BlobWriter(this.#deps, expectedBytes);
    try {
      for await (const piece of source) {
        const wait = writer.add(piece);
        if (wait !== undefined) await wait;
      }
      return await writer.finish();
    } catch (error) {
      await writer.abandon();
      throw this.#deps.space.translate(error);
    }
  }

  async adopt(path: string, how: "move" | "copy"): Promise<StagedBlob> {
    try {
      return await adoptFile(this.#deps, path, how);
    } catch (error) {
      throw this.#deps.space.translate(error);
    }
  }

  read(object: BlobSource, start: number, endExclusive: number): Readable {
    const { blob } = object;
    if (blob.kind === "inline") return Readable.from(inlineParts(object, blob.bytes, start, endExclusive));
    return new BlobReadable(this.#path(blob), object, start, endExclusive);
  }

  async pour(object: BlobSource, start: number, endExclusive: number, write: Write): Promise<void> {
    const { blob } = object;
    if (blob.kind !== "inline") return pourBlob(this.#path(blob), object, start, endExclusive, write);
    for (const part of inlineParts(object, blob.bytes, start, endExclusive)) await write(part);
  }

  async readSmall(object: BlobSource): Promise<Uint8Array> {
    const { blob } = object;
    if (blob.kind !== "inline") return readSmallBlob(this.#path(blob), object);
    return verifyInline(blob.bytes, object);
  }

  async materialise(object: BlobSource, scratchFolder: string): Promise<string> {
    const { blob } = object;
    if (blob.kind !== "inline") {
      await checkUnlessRecent(this.#path(blob), object, this.#clock.now());
      return this.#path(blob);
    }
    verifyInline(blob.bytes, object);
    await mkdir(scratchFolder, { recursive: true });
    const path = join(scratchFolder, blob.blobId);
    await writeFile(path, blob.bytes, { mode: 0o600 });
    const fd = await openFile(path, 0);
    try {
      await this.#deps.folder.protect(fd);
    } finally {
      await closeFile(fd);
    }
    return path;
  }

  async discard(blobIds: readonly string[]): Promise<void> {
    for (const blobId of blobIds) await this.#deps.folder.remove(blobId);
  }

  list(): AsyncIterable<string[]> {
    return this.#deps.folder.list();
  }

  settle(unknownOf: (blobIds: readonly string[]) => Promise<readonly string[]>): Promise<void> {
    return this.#deps.folder.settle(unknownOf);
  }

  /** The parts of multipart uploads, as files of the same folder. */
  openParts(state: FilePartsDeps["state"], log: Log): FileParts {
    return new FileParts({ writer: this.#deps, blobs: this, state, log });
  }

  /** Checks that are asked for. */
  openCheck(state: StoreCheckDeps["state"]): StoreCheck {
    return new StoreCheck({ writer: this.#deps, state, clock: this.#clock });
  }

  /** The check that runs by itself. */
  openScrub(options: Omit<ScrubOptions, "folder">): Scrub {
    return new Scrub({ ...options, folder: this.#deps.folder });
  }

  /** Ends after running fsyncs. Readers that are still open keep their descriptors. */
  async close(): Promise<void> {
    await this.#deps.hashing.close();
    await this.#folders.close();
  }

  #path(blob: BlobRef): string {
    if (blob.kind === "remote") {
      throw new SluiceError(
        "UNSUPPORTED",
        `Cannot read blob ${blob.blobId}: it lies with the provider "${blob.provider}"`,
      );
    }
    return this.#deps.folder.pathOf(blob.blobId);
  }
}

function* inlineParts(
  object: BlobSource,
  bytes: Uint8Array,
  start: number,
  endExclusive: number,
): Generator<Uint8Array> {
  for (let index = Math.floor(start / BLOCK_BYTES); index * BLOCK_BYTES < endExclusive; index++) {
    const from = index * BLOCK_BYTES;
    const block = verifyBlock(bytes.subarray(from, from + BLOCK_BYTES), object, index);
    yield block.subarray(Math.max(0, start - from), endExclusive - from);
  }
}
