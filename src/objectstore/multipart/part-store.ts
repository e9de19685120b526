import type { Completion, MultipartUpload, NewPart, Part } from "../../state/object-calls.ts";

/** A part's bytes on disk, durable, which no row names yet. */
export type StagedPart = Pick<NewPart, "sizeBytes" | "md5" | "pieceCrc32c" | "place">;

/** The bytes of multipart uploads.
 *
 *  Parts of equal size are written at their places in one file, the upload's assembly, so that a completed object is one file like any other
 *  and completing copies nothing. A part that does not fit there (another size, a number that was sent before) lies in a blob of its own and
 *  is copied to its place at the end. */
export interface PartStore {
  /** Streams a part's bytes to disk, then calls `commit`, which must give it its row. When `commit` fails the bytes go.
   *  @param sizeBytes as announced; null when the client did not say
   *  @throws what `source` and `commit` throw, DISK_FULL, UPLOAD_UNKNOWN when the upload is being completed meanwhile */
  addPart<T>(
    upload: MultipartUpload,
    number: number,
    source: AsyncIterable<Uint8Array>,
    sizeBytes: number | null,
    commit: (part: StagedPart) => Promise<T>,
  ): Promise<T>;
  /** Brings parts together, in order, then calls `commit`. No part can be added meanwhile; when anything fails the upload goes on as it was.
   *  @param choose given every part of the upload, those that the object is made of
   *  @throws what `choose` and `commit` throw, DISK_FULL, DATA_CORRUPT, UPLOAD_UNKNOWN when it is being completed already */
  complete<T>(
    upload: MultipartUpload,
    choose: (all: readonly Part[]) => readonly Part[],
    commit: (bytes: Completion["bytes"], chosen: readonly Part[]) => Promise<T>,
  ): Promise<T>;
  /** The upload's rows are gone: what no row named goes too. */
  forget(uploadId: string): Promise<void>;
}
