import type { LayerLimits } from "../apply-layer.ts";
import type { ImageManifest, ImageSource } from "../image.ts";
import type { PullProgress } from "../images.ts";
import { chainIds, layerName } from "./chain.ts";
import type { DiskRoom } from "./disk-room.ts";
import type { Fetched, LayerMaker, LayerOrder } from "./layer-maker.ts";
import { SharedWork } from "./shared-work.ts";
import type { Shelf } from "./shelf.ts";

/** Unpacked layers are larger than their blobs; what is really needed shows when they are unpacked. */
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
    while (!shelf.pin(order.name)) {
      const begun = inWork.get(order.name);
      if (begun?.isWanted) {
        await begun.wait(signal);
        continue;
      }
      const fetched = mine;
      mine = null;
      const work = new SharedWork((wanted) => this.#make(order, fetched, next, wanted));
      inWork.set(order.name, work);
      try {
        await work.wait(signal);
      } finally {
        if (inWork.get(order.name) === work) inWork.delete(order.name);
      }
    }
    this.#pinned.push(order.name);
    if (mine !== null) await mine.discard();
  }

  async #make(order: LayerOrder, ahead: Ahead | null, next: () => void, signal: AbortSignal): Promise<void> {
    const { maker, room, shelf } = this.#parts;
    await room.onDisk(order.blob.sizeBytes * UNPACKED_FACTOR);
    const fetched = await (ahead?.fetched ?? this.#download(order, signal));
    try {
      next();
      const diskBytes = await maker.unpack(order, fetched, signal);
      shelf.addLayer(order.name, diskBytes);
      shelf.unpin(order.name);
    } finally {
      await fetched.remove();
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

  #download(order: LayerOrder, signal: AbortSignal): Promise<Fetched> {
    return this.#parts.maker.download(order, signal, (bytes) => this.#tell(bytes));
  }

  #tell(bytes: number): void {
    this.#bytesDone += bytes;
    const { length: layers } = this.#orders;
    this.#onProgress({ layersDone: this.#layersDone, layers, bytesDone: this.#bytesDone, bytes: this.#bytes });
  }
}

interface Ahead {
  readonly fetched: Promise<Fetched>;
  discard(): Promise<void>;
}
