import type { BlobDamage, BlobHolder } from "../../state/store-check-calls.ts";

/** What a check says, one by one. */
export type StoreFinding =
  | Progress
  | WrongCount
  | Damaged
  | Orphan
  | { readonly kind: "mended"; readonly blob: string; readonly from: string }
  | DamagedThing
  | Summary;

/** Where the check is. `ofBlobs` and `ofBytes` are what there was when it began. */
export interface Progress {
  readonly kind: "progress";
  readonly phase: "rows" | "blobs" | "files" | "objects";
  readonly blobs: number;
  readonly bytes: number;
  readonly ofBlobs: number;
  readonly ofBytes: number;
}

/** A blob's count of references is wrong. */
export interface WrongCount {
  readonly kind: "references";
  readonly blob: string;
  readonly kept: number;
  readonly counted: number;
  readonly mended: boolean;
}

/** A blob whose bytes are not what its row says. */
export interface Damaged {
  readonly kind: "damaged";
  readonly blob: string;
  readonly damage: BlobDamage;
  /** For people: which block, which sizes. */
  readonly detail: string;
}

/** A blob file that no row names. */
export interface Orphan {
  readonly kind: "orphan";
  readonly blob: string;
  readonly bytes: number;
  readonly removed: boolean;
}

/** A thing whose blob is damaged, and was not mended. `blob` is null when there is no such row. */
export interface DamagedThing extends Omit<BlobHolder, "row"> {
  readonly kind: "object";
  readonly blob: string | null;
  readonly damage: BlobDamage;
}

/** The last finding of a check that came to its end. */
export interface Summary {
  readonly kind: "end";
  readonly blobs: number;
  readonly bytes: number;
  /** Damaged blobs that were found, and how many of them have their bytes back. */
  readonly damaged: number;
  readonly mended: number;
  /** Objects and other things that stay damaged. */
  readonly objects: number;
  readonly orphans: number;
  readonly removed: number;
  /** Wrong counts of references, and how many were counted anew. */
  readonly references: number;
  readonly recounted: number;
  /** True when a list of damaged things was cut: they were more than a check names. */
  readonly cut: boolean;
}
