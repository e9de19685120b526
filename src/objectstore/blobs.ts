import type { Readable } from "node:stream";
import type { StagedBlob, StoredObject } from "../core/object.ts";

/** The bytes of objects, as files with generated names spread over folders (`DIR/blobs/<2 hex>/<id>`), or inline in their row.
 *  A blob never changes once staged. */
export interface BlobStore {
  /** Streams bytes to a new durable blob: file and folder are fsynced before it resolves. Nothing is left behind when `source` fails.
   *  `expectedBytes` (default 0) are asked of the disk before the first byte is taken.
   *  @throws SluiceError DISK_FULL */
  stage(source: Readable | AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<StagedBlob>;
  /** Makes a file of the same file system a durable blob: by rename (`move`), or by copy (reflink where possible). Hash and fsync come after the move.
   *  A small one goes into the row and the file may stay where it is. The caller has checked that nobody else can write it.
   *  @throws SluiceError DISK_FULL, OUTPUT_INVALID when it is no regular file */
  adopt(path: string, how: "move" | "copy"): Promise<StagedBlob>;
  /** Streams `[start, endExclusive)`, verified block by block against the object's CRC32C: a flipped bit is an error, never data.
   *  @throws SluiceError DATA_CORRUPT on the stream; OBJECT_UNKNOWN when the blob was removed meanwhile */
  read(object: Pick<StoredObject, "blob" | "blockCrc32c" | "sizeBytes">, start: number, endExclusive: number): Readable;
  /** Passes `[start, endExclusive)` on, verified as by `read`, in parts that are good until `write`'s promise resolves: what has somewhere to go
   *  costs less this way. Rejects as `write` does. @throws as `read` */
  pour(
    object: Pick<StoredObject, "blob" | "blockCrc32c" | "sizeBytes">,
    start: number,
    endExclusive: number,
    write: (part: Uint8Array) => Promise<void>,
  ): Promise<void>;
  /** All bytes of an object of at most 1 MiB, verified. @throws as `read` */
  readSmall(object: Pick<StoredObject, "blob" | "blockCrc32c" | "sizeBytes">): Promise<Uint8Array>;
  /** A path of the bytes that a sandbox can bind read-only; an inline blob is written to `scratchFolder` first. The bytes are verified unless that was
   *  done in the last 24 h.
   *  @throws SluiceError DATA_CORRUPT, OBJECT_UNKNOWN when the blob was removed meanwhile */
  materialise(object: Pick<StoredObject, "blob" | "blockCrc32c" | "sizeBytes">, scratchFolder: string): Promise<string>;
  /** Removes blobs that no row names; absent ones are not an error. */
  discard(blobIds: readonly string[]): Promise<void>;
  /** Ids of blob files on disk, for those that look for leftovers; streamed in chunks, so that any number fits in memory.
   *  What this process staged and `settle` has not seen a row of is left out: its row may still be on the way. */
  list(): AsyncIterable<string[]>;
  /** To be called now and then, so that what was staged is not remembered for ever.
   *  @param unknownOf tells which of these blobs no row names */
  settle(unknownOf: (blobIds: readonly string[]) => Promise<readonly string[]>): Promise<void>;
}
