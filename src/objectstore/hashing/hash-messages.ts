import type { BlobFacts } from "../../core/object.ts";

/** What a hashing thread is told of a body, by the body's number. */
export type ToHashWorker =
  | { readonly id: number; readonly kind: "open"; readonly startsAt: number }
  | { readonly id: number; readonly kind: "add"; readonly pieces: readonly Uint8Array[] }
  | { readonly id: number; readonly kind: "end"; readonly blobId: string }
  | { readonly id: number; readonly kind: "drop" };

export type FromHashWorker =
  | { readonly id: number; readonly kind: "hashed"; readonly bytes: number }
  | { readonly id: number; readonly kind: "facts"; readonly facts: BlobFacts };
