import { randomUUID } from "node:crypto";
import { lstatSync, renameSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { ERROR_CODES, type ErrorCode, SluiceError } from "../../core/errors.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import type { LayerLimits } from "../apply-layer.ts";
import type { ImagesUser } from "../drop-rights.ts";
import type { Descriptor, ImageSource } from "../image.ts";
import type { UnpackJob, UnpackReport } from "../unpack.ts";
import { runChild } from "./child.ts";
import { fetchBlob } from "./fetch-blob.ts";
import type { StoreLayout } from "./layout.ts";
import type { Shelf } from "./shelf.ts";
import type { Trash } from "./trash.ts";

export interface LayerOrder {
  readonly source: ImageSource;
  readonly blob: Descriptor;
  readonly diffId: string;
  readonly chainId: string;
  /** Name of its folder. */
  readonly name: string;
  /** Names of the layers below, lowest first; they are there. */
  readonly parents: readonly string[];
  readonly limits: LayerLimits;
}

/** A blob that was downloaded, not verified. */
export interface Fetched {
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes layers out of blobs. Nothing half-made is ever in `layers`. */
export class LayerMaker {
  readonly #layout: StoreLayout;
  readonly #user: ImagesUser | null;
  readonly #trash: Trash;
  readonly #shelf: Shelf;

  constructor(layout: StoreLayout, user: ImagesUser | null, trash: Trash, shelf: Shelf) {
    [this.#layout, this.#user, this.#trash, this.#shelf] = [layout, user, trash, shelf];
  }

  /** @throws as `fetchBlob` */
  async download(order: LayerOrder, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<Fetched> {
    const path = `${this.#layout.incoming}/${order.name}-${randomUUID()}`;
    const remove = (): Promise<void> => rm(path, { force: true });
    try {
      await fetchBlob({ source: order.source, blob: order.blob, path, signal, onBytes });
      return { path, remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** Puts the layer on the shelf, pinned.
   *  @throws SluiceError IMAGE_INVALID (`details.limit` is "bytes" when it has more than `limits.maxBytes`), IMAGE_UNSUPPORTED, DISK_FULL, INTERNAL */
  async unpack(order: LayerOrder, { path }: Fetched, signal: AbortSignal): Promise<void> {
    const folder = `unpacking/${this.#layout.session}/${order.name}-${randomUUID()}`;
    const { blob, diffId, limits, name } = order;
    const parents = order.parents.map((parent) => `layers/${parent}`);
    const job: UnpackJob = { blob, diffId, folder, parents, limits, user: this.#user };
    const file = await open(path, "r");
    try {
      const at = { folder: this.#layout.folder, input: file.fd, signal };
      const report = (await runChild({ program: "unpack", job, ...at })) as UnpackReport;
      if ("error" in report) throw errorOf(report.error);
      const made = `${this.#layout.folder}/${folder}/fs`;
      // Only a process that an archive has taken over leaves something else.
      if (!lstatSync(made).isDirectory()) throw new Error("the layer is no folder");
      crashPoint("image.unpacked");
      // Made from another source meanwhile, it is the same: the digest was verified. A folder and its place on the shelf come at once.
      if (this.#shelf.pin(order.chainId)) return;
      renameSync(made, `${this.#layout.layers}/${name}`);
      this.#shelf.addLayer(order.chainId, report.layer.diskBytes);
    } finally {
      await file.close();
      this.#trash.take(`${this.#layout.folder}/${folder}`);
    }
  }
}

/** What such a process reports is not to be believed either: an unknown code is a defect. */
function errorOf({ code, message, limit }: Extract<UnpackReport, { error: unknown }>["error"]): SluiceError {
  const known = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "INTERNAL";
  return new SluiceError(known, message, { details: { limit } });
}
