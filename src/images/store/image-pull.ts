import { isSluiceError } from "../../core/errors.ts";
import type { Semaphore } from "../../lib/semaphore.ts";
import type { LayerLimits } from "../apply-layer.ts";
import type { ImageManifest, ImageSource } from "../image.ts";
import type { PullProgress } from "../images.ts";
import { chainIds, layerName } from "./chain.ts";
import { type DiskRoom, full } from "./disk-room.ts";
import type { Fetched, LayerMaker, LayerOrder } from "./layer-maker.ts";
import { SharedWork } from "./shared-work.ts";
import type { Shelf } from "./shelf.ts";

/** Unpacked layers are larger than their blobs: so much is made free before it shows what is really needed. */
const UNPACKED_FACTOR = 3;

/** Layers that are being made, each from one source. Images that share it wait for the one who began; who has another source does not: that one may be
 *  slow on purpose. */
export type LayersInWork = Map<string, SharedWork<void>>;

export interface PullParts {
  readonly shelf: Shelf;
  readonly maker: LayerMaker;
  readonly room: DiskRoom;
  readonly inWork: LayersInWork;
  /** One at a time: a hostile layer makes a process large, and each may fill what the disk has left. */
  readonly unpacking: Semaphore;
  readonly limits: LayerLimits;
}

/** Brings the layers of an image to the shelf, where they are pinned until `release`.
 *  ```
 *  layer 1   download ─▶ unpack
 *  layer 2            download ─▶ unpack            each over those before it; what comes next is downloaded meanwhile
 *  layer 3                       download ─▶ …
 *  ``` */
export class ImagePull {
  readonly #parts: PullParts;
  readonly #orders: readonly LayerOrder[];
  readonly #pinned: string[] = [];
  readonly #onProgress: (progress: PullProgress) => void;
  readonly #bytes: number;
  #bytesDone = 0;
  #layersDone = 0;

  constructor(
    parts: PullParts,
    source: ImageSource,
    manifest: ImageManifest,
    onProgress: (progress: PullProgress) => void,
  ) {
    this.#parts = parts;
    this.#onProgress = onProgress;
    const { diffIds } = manifest.config;
    const chain = chainIds(diffIds);
    const names = chain.map(layerName);
    this.#orders = manifest.layers.map((blob, at) => ({
      source,
      blob,
      diffId: diffIds[at] ?? "",
      chainId: chain[at] ?? "",
      name: names[at] ?? "",
      parents: names.slice(0, at),
      limits: parts.limits,
    }));
    this.#bytes = manifest.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Names of the layers' folders, lowest first. */
  get names(): readonly string[] {
    return this.#orders.map(({ name }) => name);
  }

  /** @throws SluiceError DISK_FULL also for blobs that together are more than all images may be: none is asked for then */
  async run(signal: AbortSignal): Promise<void> {
    const { maxBytes } = this.#parts.limits;
    if (this.#bytes > maxBytes)
      throw full(`all images together may take ${maxBytes} bytes, and its layers have ${this.#bytes}`);
    let ahead: Ahead | null = null;
    try {
      for (const [at, order] of this.#orders.entries()) {
        const fetched: Ahead | null = ahead;
        ahead = null;
        const next = (): void => {
          ahead = this.#downloadAhead(at + 1, signal);
        };
        await this.#bring(order, fetched, next, signal);
        this.#layersDone += 1;
        this.#tell(0);
      }
    } finally {
      await (ahead as Ahead | null)?.discard();
    }
  }

  release(): void {
    for (const name of this.#pinned.splice(0)) this.#parts.shelf.unpin(name);
  }

  /** Pins the layer, made by this pull or another. */
  async #bring(order: LayerOrder, ahead: Ahead | null, next: () => void, signal: AbortSignal): Promise<void> {
    const { shelf, inWork } = this.#parts;
    let mine = ahead;
    try {
      const key = workKey(order);
      while (!shelf.pin(order.chainId)) {
        const begun = inWork.get(key);
        if (begun !== undefined) {
          await othersEnd(begun, signal);
          continue;
        }
        const fetched = mine;
        mine = null;
        const work = new SharedWork((wanted) => this.#make(order, fetched, next, wanted));
        inWork.set(key, work);
        // Not when this caller leaves: others may wait for it, and two would make one folder.
        void work.settled().then(() => inWork.delete(key));
        await work.wait(signal);
      }
      this.#pinned.push(order.name);
    } finally {
      await (mine as Ahead | null)?.discard();
    }
  }

  async #make(order: LayerOrder, ahead: Ahead | null, next: () => void, signal: AbortSignal): Promise<void> {
    const fetched = await (ahead?.fetched ?? this.#download(order, signal));
    try {
      next();
      await this.#parts.unpacking.run(() => this.#unpack(order, fetched, signal));
    } finally {
      await fetched.remove();
    }
    // When all who wait for it have had their turn: until then nobody may take it away.
    setImmediate(() => this.#parts.shelf.unpin(order.name));
  }

  /** What must stay free on the disk stays free: a layer gets what others may go for, and no more. */
  async #unpack(order: LayerOrder, fetched: Fetched, signal: AbortSignal): Promise<void> {
    const { maker, room, limits } = this.#parts;
    let tried = -1;
    for (let wanted = order.blob.sizeBytes * UNPACKED_FACTOR; ; wanted = Math.max(2 * tried, wanted)) {
      await room.makeFree(Math.min(wanted, limits.maxBytes));
      const maxBytes = Math.min(limits.maxBytes, await room.freeBytes());
      if (maxBytes <= tried) throw full("the file system has no room for it");
      try {
        return await maker.unpack({ ...order, limits: { ...limits, maxBytes } }, fetched, signal);
      } catch (error) {
        const needsMore = isSluiceError(error) && error.details?.limit === "bytes" && maxBytes < limits.maxBytes;
        if (!needsMore) throw error;
        tried = maxBytes;
      }
    }
  }

  /** Begins with the next layer's download, unless it is here or on its way. A failure shows when its turn comes. */
  #downloadAhead(at: number, signal: AbortSignal): Ahead | null {
    const order = this.#orders[at];
    if (order === undefined || this.#parts.shelf.has(order.name) || this.#parts.inWork.has(workKey(order))) return null;
    const fetched = this.#download(order, signal);
    fetched.catch(() => {});
    return {
      fetched,
      discard: async () => {
        await fetched.then(
          (file) => file.remove(),
          () => {},
        );
      },
    };
  }

  async #download(order: LayerOrder, signal: AbortSignal): Promise<Fetched> {
    const reserved = await this.#parts.room.reserve(order.blob.sizeBytes);
    try {
      return await this.#parts.maker.download(order, signal, (bytes) => {
        reserved.fill(bytes);
        this.#tell(bytes);
      });
    } finally {
      reserved.release();
    }
  }

  #tell(bytes: number): void {
    this.#bytesDone += bytes;
    const { length: layers } = this.#orders;
    this.#onProgress({ layersDone: this.#layersDone, layers, bytesDone: this.#bytesDone, bytes: this.#bytes });
  }
}

/** Somebody else's work has ended, well or not: his failure may be one of his source, and so it is tried again from this one's.
 *  @throws the signal's reason */
async function othersEnd(work: SharedWork<void>, signal: AbortSignal): Promise<void> {
  await work.join(signal).catch(() => signal.throwIfAborted());
}

const workKey = ({ chainId, source }: LayerOrder): string => `${chainId} ${source.key}`;

interface Ahead {
  readonly fetched: Promise<Fetched>;
  discard(): Promise<void>;
}
