import { lstatSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import type { Log } from "../../lib/log.ts";
import { type ImageRecord, readRecord } from "./image-record.ts";
import type { StoreLayout } from "./layout.ts";
import type { Trash } from "./trash.ts";

/** Removes what a killed server left half-made, and what nothing names; returns the images that are whole. */
export async function recover(layout: StoreLayout, trash: Trash, log: Log): Promise<ImageRecord[]> {
  for (const name of await readdir(layout.incoming)) await rm(`${layout.incoming}/${name}`, { force: true });
  for (const name of await readdir(layout.unpacking)) {
    if (name !== layout.session) trash.take(`${layout.unpacking}/${name}`);
  }
  const records: ImageRecord[] = [];
  for (const file of await readdir(layout.manifests)) {
    const record = await readRecord(layout.manifests, file);
    if (record !== null && isWhole(layout, record)) records.push(record);
    else {
      log.warn("an image was not whole and is pulled again when it is needed", { file });
      await rm(`${layout.manifests}/${file}`, { force: true });
    }
  }
  const named = new Set(records.flatMap(({ layers }) => layers.map(({ name }) => name)));
  for (const name of await readdir(layout.layers)) if (!named.has(name)) trash.take(`${layout.layers}/${name}`);
  void trash.empty();
  return records;
}

function isWhole(layout: StoreLayout, { layers }: ImageRecord): boolean {
  return layers.every(({ name }) => lstatSync(`${layout.layers}/${name}`, { throwIfNoEntry: false })?.isDirectory());
}
