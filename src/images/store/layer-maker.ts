import { randomUUID } from "node:crypto";
import { renameSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { type ErrorCode, SluiceError } from "../../core/errors.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import type { LayerLimits } from "../apply-layer.ts";
import type { ImagesUser } from "../drop-rights.ts";
import type { Descriptor, ImageSource } from "../image.ts";
import type { UnpackJob, UnpackReport } from "../unpack.ts";
import { runChild } from "./child.ts";
import { fetchBlob } from "./fetch-blob.ts";
import type { StoreLayout } from "./layout.ts";
import type { Trash } from "./trash.ts";

export interface LayerOrder {
  readonly source: ImageSource;
  readonly blob: Descriptor;
  readonly diffId: string;
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

  constructor(layout: StoreLayout, user: ImagesUser | null, trash: Trash) {
    [this.#layout, this.#user, this.#trash] = [layout, user, trash];
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

  /** @returns bytes that the layer takes of the disk @throws SluiceError IMAGE_INVALID, IMAGE_UNSUPPORTED, DISK_FULL, INTERNAL */
  async unpack(order: LayerOrder, { path }: Fetched, signal: AbortSignal): Promise<number> {
    const folder = `unpacking/${order.name}-${randomUUID()}`;
    const { blob, diffId, limits, name } = order;
    const parents = order.parents.map((parent) => `layers/${parent}`);
    const job: UnpackJob = { blob, diffId, folder, parents, limits, user: this.#user };
    const file = await open(path, "r");
    try {
      const at = { folder: this.#layout.folder, input: file.fd, signal };
      const report = (await runChild({ program: "unpack", job, ...at })) as UnpackReport;
      if ("error" in report) throw new SluiceError(report.error.code as ErrorCode, report.error.message);
      crashPoint("image.unpacked");
      renameSync(`${this.#layout.folder}/${folder}/fs`, `${this.#layout.layers}/${name}`);
      return report.layer.diskBytes;
    } finally {
      await file.close();
      this.#trash.take(`${this.#layout.folder}/${folder}`);
    }
  }
}
