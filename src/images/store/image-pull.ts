import { isSluiceError } from "../../core/errors.ts";
import type { LayerLimits } from "../apply-layer.ts";
import type { ImageManifest, ImageSource } from "../image.ts";
import type { PullProgress } from "../images.ts";
import { chainIds, layerName } from "./chain.ts";
import type { DiskRoom } from "./disk-room.ts";
import type { Fetched, LayerMaker, LayerOrder } from "./layer-maker.ts";
import { SharedWork } from "./shared-work.ts";
import type { Shelf } from "./shelf.ts";

/** Unpacked layers are larger than their blobs: so much is made free before it shows what is really needed. */
const UNPACKED_FACTOR = 3;

/** A layer that is being made. Images that share it wait for the one who began. */
export type LayersInWork = Map<string, SharedWork<void>>;

export interface PullParts {
  readonly shelf: Shelf;
  readonly maker: LayerMaker;
  readonly room: DiskRoom;
  readonly inWork: LayersInWork;
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
    const names = chainIds(diffIds).map(layerName);
    this.#orders = manifest.layers.map((blob, at) => ({
      source,
      blob,
      diffId: diffIds[at] ?? "",
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

  async run(signal: AbortSignal): Promise<void> {
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
      while (!shelf.pin(order.name)) {
        const begun = inWork.get(order.name);
        if (begun !== undefined) {
          await othersEnd(begun, signal);
          continue;
        }
        const fetched = mine;
        mine = null;
        const work = new SharedWork((wanted) => this.#make(order, fetched, next, wanted));
        inWork.set(order.name, work);
        // Not when this caller leaves: others may wait for it, and two would make one folder.
        void work.settled().then(() => inWork.delete(order.name));
        await work.wait(signal);
      }
      this.#pinned.push(order.name);
    } finally {
      await (mine as Ahead | null)?.discard();
    }
  }

  async #make(order: LayerOrder, ahead: Ahead | null, next: () => void, signal: AbortSignal): Promise<void> {
    const { shelf } = this.#parts;
    const fetched = await (ahead?.fetched ?? this.#download(order, signal));
    try {
      next();
      const diskBytes = await this.#unpack(order, fetched, signal);
      shelf.addLayer(order.name, diskBytes);
      shelf.unpin(order.name);
    } finally {
      await fetched.remove();
    }
  }

  /** What must stay free on the disk stays free: a layer gets what others may go for, and no more. */
  async #unpack(order: LayerOrder, fetched: Fetched, signal: AbortSignal): Promise<number> {
    const { maker, room, limits } = this.#parts;
    for (let wanted = order.blob.sizeBytes * UNPACKED_FACTOR; ; ) {
      await room.onDiskIfPossible(Math.min(wanted, limits.maxBytes));
      const maxBytes = Math.min(limits.maxBytes, await room.freeBytes());
      try {
        return await maker.unpack({ ...order, limits: { ...limits, maxBytes } }, fetched, signal);
      } catch (error) {
        const needsMore = isSluiceError(error) && error.details?.limit === "bytes" && maxBytes < limits.maxBytes;
        if (!needsMore) throw error;
        wanted = Math.max(2 * maxBytes, wanted);
        await room.onDisk(Math.min(wanted, limits.maxBytes));
      }
    }
  }

  /** Begins with the next layer's download, unless it is here or on its way. A failure shows when its turn comes. */
  #downloadAhead(at: number, signal: AbortSignal): Ahead | null {
    const order = this.#orders[at];
    if (order === undefined || this.#parts.shelf.has(order.name) || this.#parts.inWork.has(order.name)) return null;
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
    await this.#parts.room.onDisk(order.blob.sizeBytes);
    return await this.#parts.maker.download(order, signal, (bytes) => this.#tell(bytes));
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

interface Ahead {
  readonly fetched: Promise<Fetched>;
  discard(): Promise<void>;
}
