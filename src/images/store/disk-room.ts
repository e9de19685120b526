import { statfs } from "node:fs/promises";
import { SluiceError } from "../../core/errors.ts";
import type { Shelf, ShelfImage } from "./shelf.ts";

const MIN_FREE_BYTES = 1024 ** 3;
const MIN_FREE_SHARE = 0.05;

export interface DiskRoomOptions {
  readonly folder: string;
  /** What all layers together may take. */
  readonly maxBytes: number;
  /** What must stay free on the file system; null for 5 % of it, at least 1 GiB. */
  readonly keepFreeBytes: number | null;
  /** Digests that must not be removed. */
  readonly pinned: () => ReadonlySet<string> | Promise<ReadonlySet<string>>;
  readonly shelf: Shelf;
  readonly removeImage: (image: ShelfImage) => void;
  readonly removeLooseLayers: () => number;
  /** Resolves when what was removed takes no room any more; false when it could not be deleted. */
  readonly removed: () => Promise<boolean>;
}

/** Room on the disk that is somebody's, until it is filled or given back. */
export interface Reservation {
  /** So many bytes of it lie on the disk now. */
  fill(bytes: number): void;
  release(): void;
}

/** Keeps the images below their limits, by removing those of least use that nobody holds and nothing pins. */
export class DiskRoom {
  readonly #options: DiskRoomOptions;
  #reservedBytes = 0;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** What the disk has for images now, less what is reserved. */
  async freeBytes(): Promise<number> {
    return Math.max(0, await this.#unreservedBytes());
  }

  async #unreservedBytes(): Promise<number> {
    const { bsize, blocks, bavail } = await statfs(this.#options.folder);
    const keep = this.#options.keepFreeBytes ?? Math.max(MIN_FREE_BYTES, blocks * bsize * MIN_FREE_SHARE);
    return bavail * bsize - keep - this.#reservedBytes;
  }

  /** Room on the disk for so many bytes, which nobody else gets meanwhile. Whoever says that he needs more than could ever be made free makes nobody go.
   *  @throws SluiceError DISK_FULL when nothing more may go */
  async reserve(bytes: number): Promise<Reservation> {
    const { shelf, pinned, removed } = this.#options;
    // First, so that of two that ask at once one waits for what the other leaves.
    const reservation = this.#reserve(bytes);
    try {
      const lacking = -(await this.#unreservedBytes());
      if (lacking > 0 && lacking > shelf.evictableBytes(await pinned()))
        throw full("the file system has no room for it");
      while ((await this.#unreservedBytes()) < 0) {
        if (!(await this.#removeOne())) throw full("the file system has no room for it");
        if (!(await removed())) throw full("images that were removed could not be deleted, as the server's log says");
      }
      return reservation;
    } catch (error) {
      reservation.release();
      throw error;
    }
  }

  #reserve(bytes: number): Reservation {
    let left = bytes;
    this.#reservedBytes += left;
    const fill = (filled: number): void => {
      const now = Math.min(filled, left);
      left -= now;
      this.#reservedBytes -= now;
    };
    return { fill, release: () => fill(left) };
  }

  /** Makes so many bytes free, as far as it goes. */
  async makeFree(bytes: number): Promise<void> {
    while ((await this.freeBytes()) < bytes && (await this.#removeOne())) if (!(await this.#options.removed())) return;
  }

  /** Brings the layers below the limit of all images. @throws SluiceError DISK_FULL when nothing more may go */
  async belowLimit(): Promise<void> {
    const { shelf, maxBytes } = this.#options;
    while (shelf.diskBytes > maxBytes) {
      if (!(await this.#removeOne()))
        throw full(`all images together may take ${maxBytes} bytes, and those in use leave too few`);
    }
  }

  async #removeOne(): Promise<boolean> {
    const { shelf, pinned, removeImage, removeLooseLayers } = this.#options;
    if (removeLooseLayers() > 0) return true;
    const victim = shelf.victim(await pinned());
    if (victim === null) return false;
    removeImage(victim);
    removeLooseLayers();
    return true;
  }
}

export function full(why: string): SluiceError {
  return new SluiceError(
    "DISK_FULL",
    `Cannot keep the image: ${why} (remove images or services, or give the images more room)`,
  );
}
