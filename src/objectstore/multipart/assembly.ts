import { SluiceError } from "../../core/errors.ts";
import type { MultipartUpload, Part } from "../../state/object-calls.ts";
import { MAX_OBJECT_BYTES } from "../body.ts";

/** The smallest part that S3 allows before the last one. A smaller one, unless it is the first, tells nothing about the size of the others. */
export const MIN_PART_BYTES = 5 * 1024 * 1024;

/** A part's place in the assembly file: `sizeBytes` from `start` on. */
export interface Slot {
  readonly number: number;
  readonly blobId: string;
  readonly partBytes: number;
  readonly start: number;
  readonly sizeBytes: number;
}

/** Who writes where in one upload's assembly file.
 *
 *  ```
 *  slot n:  free ──claim──▶ writing ──row committed──▶ taken
 *             ▲                └─ failed ─┘
 *  upload:  open ──seal──▶ sealed (no claim, write or commit; waits for those under way) ──unseal──▶ open
 *                             └─ completed or aborted: forgotten
 *  ```
 *  A slot is written once: a number that comes again is put elsewhere, so that the bytes of a part that was acknowledged never change. */
export class Assembly {
  readonly uploadId: string;
  #file: { readonly blobId: string; readonly partBytes: number } | null;
  /** True once a row names the file. */
  #named: boolean;
  readonly #slots = new Set<number>();
  #sealed = false;
  #writes = 0;
  #idle: (() => void) | null = null;

  /** @param file the one that a row names, if there is one
   *  @param parts every part of the upload that has a row */
  constructor(uploadId: string, file: MultipartUpload["assembly"], parts: readonly Part[]) {
    this.uploadId = uploadId;
    this.#file = file;
    this.#named = file !== null;
    for (const part of parts) if (part.blob === null) this.#slots.add(part.number);
  }

  get file(): { readonly blobId: string; readonly partBytes: number } | null {
    return this.#file;
  }

  /** The file, when no row names it. */
  get unnamed(): string | null {
    return this.#named ? null : (this.#file?.blobId ?? null);
  }

  /** The place that the part may be written at, or null when it must lie elsewhere. The first part of a size that says something begins
   *  the file. */
  claim(number: number, sizeBytes: number, newBlobId: () => string): Slot | null {
    this.checkOpen();
    if (sizeBytes === 0 || this.#slots.has(number)) return null;
    if (this.#file === null) {
      if (number * sizeBytes > MAX_OBJECT_BYTES) return null;
      if (number > 1 && sizeBytes < MIN_PART_BYTES) return null;
      this.#file = { blobId: newBlobId(), partBytes: sizeBytes };
    }
    const { blobId, partBytes } = this.#file;
    if (sizeBytes > partBytes || number * partBytes > MAX_OBJECT_BYTES) return null;
    this.#slots.add(number);
    return { number, blobId, partBytes, start: (number - 1) * partBytes, sizeBytes };
  }

  /** A row names the part, and so the file. */
  committed(): void {
    this.#named = true;
  }

  free(number: number): void {
    this.#slots.delete(number);
  }

  /** Runs a write, or the commit of a part that is written, unless the upload is sealed. */
  async run<T>(run: () => Promise<T>): Promise<T> {
    this.checkOpen();
    this.#writes += 1;
    try {
      return await run();
    } finally {
      this.#writes -= 1;
      if (this.#writes === 0) this.#idle?.();
    }
  }

  /** Resolves when nothing is being written, and nothing will be before `unseal`. */
  async seal(): Promise<void> {
    this.checkOpen();
    this.#sealed = true;
    if (this.#writes > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#idle = null;
  }

  unseal(): void {
    this.#sealed = false;
  }

  /** @throws SluiceError UPLOAD_UNKNOWN while the upload is being completed */
  checkOpen(): void {
    if (!this.#sealed) return;
    throw new SluiceError("UPLOAD_UNKNOWN", "Cannot change the upload: it is being completed");
  }
}
