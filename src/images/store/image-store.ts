import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { promisify } from "node:util";
import { SluiceError } from "../../core/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import type { Log } from "../../lib/log.ts";
import { Semaphore } from "../../lib/semaphore.ts";
import type { ImagesUser } from "../drop-rights.ts";
import type { HeldImage, ImageSource } from "../image.ts";
import type { PullOptions, PullProgress, StoredImage } from "../images.ts";
import type { ImageStore, StorePull } from "../local-images.ts";
import { DiskRoom } from "./disk-room.ts";
import { ImagePull, type LayersInWork, type PullParts } from "./image-pull.ts";
import { type ImageRecord, recordFile, writeRecord } from "./image-record.ts";
import { LayerMaker } from "./layer-maker.ts";
import { layoutOf, makeLayout, type StoreLayout } from "./layout.ts";
import { recover } from "./recover.ts";
import { SharedWork } from "./shared-work.ts";
import { Shelf, type ShelfImage } from "./shelf.ts";
import { Trash } from "./trash.ts";
import { readUsage, writeUsage } from "./usage-file.ts";

export interface ImageStoreOptions {
  /** `DIR/images`. */
  readonly folder: string;
  /** Whom unpacked images belong to; null where the server is an ordinary user. */
  readonly user: ImagesUser | null;
  /** What all layers together may take of the disk. */
  readonly maxBytes: number;
  /** What stays free on the file system; null for 5 %, at least 1 GiB. */
  readonly keepFreeBytes: number | null;
  /** Digests that current services need. */
  readonly pinned: () => Promise<ReadonlySet<string>>;
  readonly clock: Clock;
  readonly log: Log;
}

const MAX_MEMBERS = 1_000_000;
const UNUSED = { uses: 0, lastUsedAt: 0, stamp: 0 };

/** Opens the store of images; what an earlier process left half-made is removed first. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const layout = layoutOf(options.folder);
  await makeLayout(layout, options.user);
  const trash = new Trash(layout, options.user, options.log);
  const records = await recover(layout, trash, options.log);
  const usage = await readUsage(layout.usage);
  const shelf = new Shelf();
  shelf.clock = usage.clock;
  for (const record of records) shelf.addImage(record, usage.images[record.digest] ?? UNUSED);
  return new LayerStore(options, layout, trash, shelf);
}

type Listener = (progress: PullProgress) => void;

interface PullOrder {
  readonly source: ImageSource;
  readonly digest: string;
  readonly reference: string;
}

interface SharedPull {
  readonly order: PullOrder;
  readonly work: SharedWork<void>;
  readonly listeners: Set<Listener>;
}

/** ```
 *  pull ─▶ here already? ─yes─▶ held
 *             │ no: one pull a digest, whoever asks (ImagePull), each layer made once (LayerMaker)
 *             └─▶ layers whole and synced ─▶ record written and synced ─▶ on the shelf ─▶ held
 *  ```
 *  An image exists by its record, which is written when all its layers are in their places and on the disk. */
class LayerStore implements ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #layout: StoreLayout;
  readonly #trash: Trash;
  readonly #shelf: Shelf;
  readonly #room: DiskRoom;
  readonly #parts: PullParts;
  readonly #pulls = new Map<string, SharedPull>();
  readonly #inWork: LayersInWork = new Map();
  readonly #closing = new AbortController();
  readonly #records = new Semaphore(1);
  #ending: Promise<unknown>[] = [];

  constructor(options: ImageStoreOptions, layout: StoreLayout, trash: Trash, shelf: Shelf) {
    [this.#options, this.#layout, this.#trash, this.#shelf] = [options, layout, trash, shelf];
    this.#room = new DiskRoom({
      folder: layout.folder,
      maxBytes: options.maxBytes,
      keepFreeBytes: options.keepFreeBytes,
      pinned: options.pinned,
      shelf,
      removeImage: (image) => this.#removeImage(image),
      removeLooseLayers: () => this.#removeLooseLayers(),
      removed: () => trash.empty(),
    });
    this.#parts = {
      shelf,
      maker: new LayerMaker(layout, options.user, trash, shelf),
      room: this.#room,
      inWork: this.#inWork,
      unpacking: new Semaphore(1),
      limits: { maxBytes: options.maxBytes, maxMembers: MAX_MEMBERS },
    };
  }

  async pull(source: ImageSource, { reference, digest, signal, onProgress }: StorePull): Promise<HeldImage> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    const known = digest ?? (await source.manifest(either)).digest;
    const order = { source, digest: known, reference };
    for (;;) {
      const here = this.hold(known, reference);
      if (here !== null) return here;
      either.throwIfAborted();
      const pull = this.#pulls.get(pullKey(order)) ?? this.#begin(order);
      try {
        await this.#join(pull, either, onProgress);
      } catch (error) {
        either.throwIfAborted();
        // Another caller's failure may be one of his source: it is tried again from this one's.
        if (pull.order === order) throw inOurWords(error);
      }
    }
  }

  /** Resolves when the image was put on the shelf, by this pull or one that had begun. */
  async #join(pull: SharedPull, signal: AbortSignal, onProgress: PullOptions["onProgress"]): Promise<void> {
    if (onProgress !== undefined) pull.listeners.add(onProgress);
    try {
      await pull.work.join(signal);
    } finally {
      if (onProgress !== undefined) pull.listeners.delete(onProgress);
    }
  }

  /** One at a time for a digest and source, also while one that nobody waits for any more ends. */
  #begin(order: PullOrder): SharedPull {
    const listeners = new Set<Listener>();
    const tell = (progress: PullProgress): void => {
      for (const listener of listeners) listener(progress);
    };
    const work = new SharedWork((wanted) => this.#bring(order, wanted, tell));
    const pull = { order, work, listeners };
    this.#pulls.set(pullKey(order), pull);
    void work.settled().then(() => this.#pulls.delete(pullKey(order)));
    return pull;
  }

  async #bring({ source, digest, reference }: PullOrder, signal: AbortSignal, tell: Listener): Promise<void> {
    const { clock } = this.#options;
    const begun = clock.monotonicMs();
    const manifest = await source.manifest(signal);
    if (manifest.digest !== digest) throw changed(reference, digest);
    const pull = new ImagePull(this.#parts, source, manifest, tell);
    try {
      await pull.run(signal);
      await syncFileSystem(this.#layout.layers);
      crashPoint("image.record");
      const record: ImageRecord = {
        format: 1,
        digest,
        references: [reference],
        config: manifest.config,
        layers: pull.names.map((name) => ({ name, diskBytes: this.#shelf.bytesOf(name) })),
        createdAt: clock.now(),
        pullMs: clock.monotonicMs() - begun,
      };
      await this.#write(record);
      // It may have come from another source meanwhile.
      const image = this.#shelf.images.get(digest) ?? this.#shelf.addImage(record, UNUSED);
      this.#shelf.use(image, clock.now());
      await this.#makeRoomBeside(image, pull);
    } finally {
      pull.release();
    }
  }

  /** The limit holds for all images together, the new one too: it may go itself where nothing else can. */
  async #makeRoomBeside(image: ShelfImage, pull: ImagePull): Promise<void> {
    image.holds += 1;
    try {
      await this.#room.belowLimit();
      image.holds -= 1;
    } catch (error) {
      image.holds -= 1;
      if (image.holds === 0) this.#removeImage(image);
      pull.release();
      this.#removeLooseLayers();
      throw error;
    }
  }

  hold(digest: string, reference: string): HeldImage | null {
    const image = this.#shelf.images.get(digest);
    if (image === undefined || this.#closing.signal.aborted) return null;
    this.#name(image, reference);
    this.#shelf.use(image, this.#options.clock.now());
    image.holds += 1;
    let isHeld = true;
    const { record } = image;
    return {
      digest,
      config: record.config,
      layers: record.layers.map(({ name }) => `${this.#layout.layers}/${name}`),
      sizeBytes: this.#shelf.sizesOf(image).sizeBytes,
      release: () => {
        if (isHeld) image.holds -= 1;
        isHeld = false;
      },
    };
  }

  /** The names an image goes by are of no weight but for people: written when they come, without waiting. */
  #name(image: ShelfImage, reference: string): void {
    const { references } = image.record;
    if (references.includes(reference)) return;
    image.record = { ...image.record, references: [reference, ...references].slice(0, MAX_REFERENCES) };
    const { log } = this.#options;
    this.#after(
      this.#write(image.record, image).catch((error: unknown) =>
        log.warn("cannot note the name of an image", { reference, error }),
      ),
    );
  }

  /** One after another, as two of one image would be written into one file. @param image left alone when it was removed meanwhile, or its record would
   *  come back */
  #write(record: ImageRecord, image: ShelfImage | null = null): Promise<void> {
    return this.#records.run(async () => {
      if (image !== null && this.#shelf.images.get(record.digest) !== image) return;
      await writeRecord(this.#layout.manifests, record);
      if (image !== null && this.#shelf.images.get(record.digest) !== image) this.#removeRecord(record);
    });
  }

  freeBytes(): Promise<number> {
    return this.#room.freeBytes();
  }

  list(): readonly StoredImage[] {
    return [...this.#shelf.images.values()].map((image) => ({
      digest: image.record.digest,
      references: image.record.references,
      ...this.#shelf.sizesOf(image),
      pulledAt: image.record.createdAt,
      usedAt: image.lastUsedAt,
      isHeld: image.holds > 0,
    }));
  }

  async remove(digest: string): Promise<number> {
    const image = this.#shelf.images.get(digest);
    if (image === undefined)
      throw new SluiceError("IMAGE_UNKNOWN", `Cannot remove the image ${digest}: it is not here (see: sluice images)`);
    if (image.holds > 0)
      throw new SluiceError(
        "IMAGE_IN_USE",
        `Cannot remove the image ${digest}: a job runs on it, or a service keeps it ready (wait, or see synchronous.min_scale)`,
      );
    const { ownBytes } = this.#shelf.sizesOf(image);
    this.#removeImage(image);
    this.#removeLooseLayers();
    await this.#trash.empty();
    return ownBytes;
  }

  async prune(pinned: ReadonlySet<string>): Promise<number> {
    const before = this.#shelf.diskBytes;
    for (const image of [...this.#shelf.images.values()]) {
      if (image.holds === 0 && !pinned.has(image.record.digest)) this.#removeImage(image);
    }
    this.#removeLooseLayers();
    await this.#trash.empty();
    return Math.max(0, before - this.#shelf.diskBytes);
  }

  async close(): Promise<void> {
    this.#closing.abort(new SluiceError("STOPPING", "Cannot go on with the image: the server is stopping"));
    await Promise.allSettled([...this.#pulls.values()].map(({ work }) => work.settled()));
    await Promise.all(this.#ending);
    await this.#trash.empty();
    await writeUsage(this.#layout.usage, this.#shelf);
  }

  /** Its record goes first: what comes after may be cut off. */
  #removeImage(image: ShelfImage): void {
    this.#removeRecord(image.record);
    this.#shelf.removeImage(image);
  }

  #removeRecord({ digest }: ImageRecord): void {
    rmSync(`${this.#layout.manifests}/${recordFile(digest)}`, { force: true });
  }

  #removeLooseLayers(): number {
    const names = this.#shelf.takeLoose();
    for (const name of names) this.#trash.take(`${this.#layout.layers}/${name}`);
    return names.length;
  }

  #after(work: Promise<void>): void {
    this.#ending = [...this.#ending, work];
    void work.finally(() => {
      this.#ending = this.#ending.filter((each) => each !== work);
    });
  }
}

const MAX_REFERENCES = 20;

const pullKey = ({ digest, source }: PullOrder): string => `${digest} ${source.key}`;

function changed(reference: string, digest: string): SluiceError {
  return new SluiceError(
    "IMAGE_UNKNOWN",
    `Cannot use the image "${reference}": its source holds another one than ${digest} by now (apply the service again)`,
  );
}

/** What the system says when there is no room, as everybody else says it. */
function inOurWords(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new SluiceError(
    "DISK_FULL",
    "Cannot keep the image: the file system of the images is full (remove images, or give it more room)",
    { cause: error },
  );
}

/** Everything that was written in a file system is on the disk when it resolves. */
async function syncFileSystem(folder: string): Promise<void> {
  await promisify(execFile)("sync", ["-f", folder]);
}
