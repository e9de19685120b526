import type { BlobFacts, BlobRef } from "../core/object.ts";

/** A blob as its row describes it. */
export interface KeptBlob extends BlobFacts {
  /** Number of the row: given once, in the order in which blobs came. */
  readonly row: number;
  /** A file of size 0 is the assembly of an unfinished upload: its bytes have no facts yet. */
  readonly blob: BlobRef;
}

/** What is wrong with a blob: its file is not there, is not of its size, has other bytes, or cannot be read; or (`row`) things name it
 *  that has no row. */
export type BlobDamage = "missing" | "size" | "bytes" | "unreadable" | "row";

export interface DamagedBlob {
  readonly row: number;
  readonly blobId: string;
  readonly damage: BlobDamage;
}

/** A thing that names a blob. */
export interface BlobHolder {
  readonly row: number;
  readonly holder: "object" | "output" | "upload" | "job";
  /** Null for a job's input. */
  readonly bucket: string | null;
  readonly key: string | null;
  /** Of an object only. */
  readonly versionId: string | null;
  readonly isLatest: boolean;
  /** The upload's or the job's id; null for an object. */
  readonly id: string | null;
}

/** A blob whose count of references is not that of the things that name it. */
export interface WrongReferences {
  readonly row: number;
  readonly blobId: string;
  readonly kept: number;
  readonly counted: number;
}

/** What the rows say of each other, all at one moment. Lists end after `limit` entries. */
export interface StoreAudit {
  readonly blobs: number;
  readonly bytes: number;
  readonly references: readonly WrongReferences[];
  /** Of the blobs that were asked for. */
  readonly holders: readonly BlobHolder[];
  /** Things whose blob has no row, and objects that are not of their blob's size. */
  readonly lost: readonly (BlobHolder & { readonly damage: "row" | "size" })[];
  /** Rows of other blobs with the same size and MD5 as one that was asked for. */
  readonly twins: readonly { readonly row: number; readonly twin: number }[];
}

/** How far the background check is. Times in UTC ms. */
export interface ScrubProgress {
  /** The last row that this round has looked at. */
  readonly after: number;
  readonly startedAt: number;
  /** When the round was over; null while it goes on. */
  readonly endedAt: number | null;
}

/** What a check of the store reads and mends. The rules of `State` hold. */
export interface StoreCheckCalls {
  /** Blobs in the order of their rows, from behind `after` (0 for the start), with the bytes of those that lie in the row. */
  blobPage(after: number, limit: number): Promise<KeptBlob[]>;
  /** Looks through every row that names a blob, at one moment and beside all other calls: seconds for millions of rows.
   *  @param asked rows of blobs whose holders and twins are wanted */
  auditStore(asked: readonly number[], limit: number): Promise<StoreAudit>;
  /** Counts the references of these blobs anew; what nothing names becomes garbage. Reads every row that names a blob in one transaction, so it
   *  is for what an audit found wrong. Returns how many counts were wrong. */
  recountBlobs(rows: readonly number[]): Promise<number>;
  /** Puts verified bytes in the place of damaged ones that lie in the row. False when there is no such row, or it has a file. */
  replaceInline(row: number, bytes: Uint8Array): Promise<boolean>;
  /** Null before the first round. */
  scrubProgress(): Promise<ScrubProgress | null>;
  saveScrub(progress: ScrubProgress): Promise<void>;
  /** Remembers which of the blobs behind `after` up to `upTo` are damaged; the others there are sound. */
  noteDamage(after: number, upTo: number, found: readonly Omit<DamagedBlob, "blobId">[], at: number): Promise<void>;
  /** Those remembered that still have a row. */
  damagedBlobs(limit: number): Promise<DamagedBlob[]>;
  damagedCount(): Promise<number>;
}
