import { SluiceError } from "../../core/errors.ts";
import { chainIds, layerName } from "./chain.ts";
import { leastUseful } from "./greedy-dual.ts";
import type { ImageRecord } from "./image-record.ts";

/** An image on the shelf. */
export interface ShelfImage {
  record: ImageRecord;
  /** Who works with it now; it cannot go while there is one. */
  holds: number;
  uses: number;
  /** UTC ms. */
  lastUsedAt: number;
  /** The shelf's clock at its last use. */
  stamp: number;
}

interface ShelfLayer {
  /** In full: folders are named by the beginning. */
  readonly chainId: string;
  readonly diskBytes: number;
  /** Images that have it, and pulls that are going to. */
  users: number;
}

/** How an image was used so far. */
export type Usage = Pick<ShelfImage, "uses" | "lastUsedAt" | "stamp">;

/** What lies in the store, in memory: which image has which layer. Layers that nothing has yet or any more are loose: a pull that is tried again takes
 *  them, and they are the first to go. It touches no file. */
export class Shelf {
  readonly images = new Map<string, ShelfImage>();
  readonly #layers = new Map<string, ShelfLayer>();
  /** Of Greedy-Dual: the priority of the last image that had to go. */
  clock = 0;

  /** What all layers take of the disk. */
  get diskBytes(): number {
    let sum = 0;
    for (const { diskBytes } of this.#layers.values()) sum += diskBytes;
    return sum;
  }

  /** A new layer, which its maker needs until `unpin`. */
  addLayer(chainId: string, diskBytes: number): void {
    this.#layers.set(layerName(chainId), { chainId, diskBytes, users: 1 });
  }

  /** Keeps a layer until `unpin`; false when it is not here.
   *  @throws SluiceError IMAGE_INVALID when another lies in its folder: somebody has made up its id */
  pin(chainId: string): boolean {
    const layer = this.#layers.get(layerName(chainId));
    if (layer === undefined) return false;
    if (layer.chainId !== chainId) {
      throw new SluiceError(
        "IMAGE_INVALID",
        `Cannot keep the image: its layer ${chainId} would lie where another does`,
      );
    }
    layer.users += 1;
    return true;
  }

  unpin(name: string): void {
    const layer = this.#layers.get(name);
    if (layer !== undefined) layer.users -= 1;
  }

  has(name: string): boolean {
    return this.#layers.has(name);
  }

  bytesOf(name: string): number {
    return this.#layers.get(name)?.diskBytes ?? 0;
  }

  /** Layers that are not here yet are taken as the record says. */
  addImage(record: ImageRecord, usage: Usage): ShelfImage {
    for (const [at, chainId] of chainIds(record.config.diffIds).entries()) {
      if (!this.pin(chainId)) this.addLayer(chainId, record.layers[at]?.diskBytes ?? 0);
    }
    const image = { record, holds: 0, ...usage };
    this.images.set(record.digest, image);
    return image;
  }

  /** Its layers are loose then, but for those that others have. */
  removeImage(image: ShelfImage): void {
    if (this.images.get(image.record.digest) !== image) throw new Error("the image is on the shelf no more");
    this.images.delete(image.record.digest);
    for (const { name } of image.record.layers) this.unpin(name);
  }

  /** Takes all loose layers off the shelf, and returns their names. */
  takeLoose(): string[] {
    const loose = [...this.#layers].filter(([, { users }]) => users === 0).map(([name]) => name);
    for (const name of loose) this.#layers.delete(name);
    return loose;
  }

  use(image: ShelfImage, now: number): void {
    image.uses += 1;
    image.lastUsedAt = now;
    image.stamp = this.clock;
  }

  /** The image to go first of those that nobody holds and that are not pinned; null when there is none. The clock is set to its priority. */
  victim(pinned: ReadonlySet<string>): ShelfImage | null {
    const free = [...this.images.values()].filter((image) => image.holds === 0 && !pinned.has(image.record.digest));
    const least = leastUseful(free, (image) => ({
      stamp: image.stamp,
      uses: image.uses,
      costMs: image.record.pullMs,
      freedBytes: this.sizesOf(image).ownBytes,
    }));
    if (least === null) return null;
    this.clock = Math.max(this.clock, least.priority);
    return least.victim;
  }

  /** What would be free if all went that may. */
  evictableBytes(pinned: ReadonlySet<string>): number {
    const staying = [...this.images.values()].filter(({ holds, record }) => holds > 0 || pinned.has(record.digest));
    const needed = new Set(staying.flatMap(({ record }) => record.layers.map(({ name }) => name)));
    let sum = 0;
    for (const [name, { diskBytes }] of this.#layers) if (!needed.has(name)) sum += diskBytes;
    return sum;
  }

  /** Bytes of all its layers, and of those that it alone has. */
  sizesOf({ record }: ShelfImage): { readonly sizeBytes: number; readonly ownBytes: number } {
    let [sizeBytes, ownBytes] = [0, 0];
    for (const { name, diskBytes } of record.layers) {
      sizeBytes += diskBytes;
      if (this.#layers.get(name)?.users === 1) ownBytes += diskBytes;
    }
    return { sizeBytes, ownBytes };
  }
}
