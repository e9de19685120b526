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
  /** Resolves when what was removed takes no room any more. */
  readonly removed: () => Promise<void>;
}

/** Keeps the images below their limits, by removing those of least use that nobody holds and nothing pins. */
export class DiskRoom {
  readonly #options: DiskRoomOptions;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** What the disk has for images now. */
  async freeBytes(): Promise<number> {
    const { bsize, blocks, bavail } = await statfs(this.#options.folder);
    const keep = this.#options.keepFreeBytes ?? Math.max(MIN_FREE_BYTES, blocks * bsize * MIN_FREE_SHARE);
    return Math.max(0, bavail * bsize - keep);
  }

  /** Room on the disk for so many bytes. @throws SluiceError DISK_FULL when nothing more may go */
  async onDisk(bytes: number): Promise<void> {
    while ((await this.freeBytes()) < bytes) {
      if (!(await this.#removeOne())) throw full("the file system has no room for it");
      await this.#options.removed();
    }
  }

  /** The same, as far as it goes. */
  async onDiskIfPossible(bytes: number): Promise<void> {
    while ((await this.freeBytes()) < bytes && (await this.#removeOne())) await this.#options.removed();
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

function full(why: string): SluiceError {
  return new SluiceError(
    "DISK_FULL",
    `Cannot keep the image: ${why} (remove images or services, or give the images more room)`,
  );
}
