import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import type { HeldImage, ImageSource } from "../../image.ts";
import type { ImageStore } from "../../local-images.ts";
import { type ImageStoreOptions, openImageStore } from "../image-store.ts";

/** No account of this machine. */
export const IMAGES_USER = process.getuid?.() === 0 ? { uid: 200_255, gid: 200_000 } : null;

/** A store in a folder of its own, which only its owner may enter, as data folders are. */
export class StoreBench {
  readonly base = mkdtempSync(join(tmpdir(), "sluice-images-"));
  readonly folder = `${this.base}/images`;
  readonly #open: ImageStore[] = [];

  async open(options: Partial<ImageStoreOptions> = {}): Promise<ImageStore> {
    const store = await openImageStore({
      folder: this.folder,
      user: IMAGES_USER,
      maxBytes: 1e9,
      keepFreeBytes: 0,
      pinned: async () => new Set(),
      clock: systemClock,
      log: silentLog,
      ...options,
    });
    this.#open.push(store);
    return store;
  }

  pull(store: ImageStore, source: ImageSource, signal = new AbortController().signal): Promise<HeldImage> {
    return store.pull(source, { reference: "docker.io/library/test:latest", signal });
  }

  /** What lies in a folder of the store. */
  names(folder: "layers" | "manifests" | "incoming" | "unpacking" | "trash"): string[] {
    return readdirSync(`${this.folder}/${folder}`).toSorted();
  }

  /** How many things lie where half-made and removed ones do. */
  leftovers(): number {
    const unpacking = this.names("unpacking").flatMap((session) => readdirSync(`${this.folder}/unpacking/${session}`));
    return this.names("incoming").length + unpacking.length + this.names("trash").length;
  }

  /** Every path of each layer, whiteouts with an exclamation mark. */
  paths(image: HeldImage): string[][] {
    return image.layers.map((layer) =>
      readdirSync(layer, { recursive: true, encoding: "utf8" })
        .map((path) => (lstatSync(`${layer}/${path}`).isCharacterDevice() ? `${path}!` : path))
        .toSorted(),
    );
  }

  async closeAll(): Promise<void> {
    for (const store of this.#open.splice(0)) await store.close();
  }

  async remove(): Promise<void> {
    await this.closeAll();
    rmSync(this.base, { recursive: true, force: true });
  }
}
