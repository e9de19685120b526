import type { StagedBlob } from "../core/object.ts";
import type { Log } from "../lib/log.ts";
import type { BlobStore } from "./blobs.ts";

/** Calls `commit`, which must give the blob its row; when it fails the blob's file goes. What cannot be removed is found by the sweep after the
 *  next unclean start: the caller must learn why the commit failed.
 *  @throws what `commit` throws */
export async function commitStaged<T>(
  { blobs, log }: { readonly blobs: Pick<BlobStore, "discard">; readonly log: Log },
  blob: StagedBlob,
  commit: () => Promise<T>,
): Promise<T> {
  try {
    return await commit();
  } catch (error) {
    if (blob.inline === null) {
      await blobs.discard([blob.blobId]).catch((cause: unknown) => {
        log.warn("cannot remove the blob of a refused upload", { blobId: blob.blobId, error: cause });
      });
    }
    throw error;
  }
}
