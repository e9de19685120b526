import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir } from "node:fs/promises";
import type { ImagesUser } from "../drop-rights.ts";

/** Where the store keeps what. Half-made things are in `incoming` and `unpacking` alone. */
export interface StoreLayout {
  readonly folder: string;
  /** One folder a layer, named by its chain id; complete, and never written again. */
  readonly layers: string;
  /** One file an image, `<64 hex>.json`: an image is there when this file and every layer it names are. */
  readonly manifests: string;
  /** Blobs while they are downloaded. */
  readonly incoming: string;
  /** Layers while they are unpacked, in one folder for each server that ran, which is the images user's. */
  readonly unpacking: string;
  /** The name of this server's: a process that a killed server left then finds no place to go on in. */
  readonly session: string;
  /** Folders that are to be removed; the images user's. */
  readonly trash: string;
  /** How often and when images were used; may be lost. */
  readonly usage: string;
}

export function layoutOf(folder: string): StoreLayout {
  return {
    folder,
    layers: `${folder}/layers`,
    manifests: `${folder}/manifests`,
    incoming: `${folder}/incoming`,
    unpacking: `${folder}/unpacking`,
    session: randomUUID(),
    trash: `${folder}/trash`,
    usage: `${folder}/usage.json`,
  };
}

/** Makes the folders. Those on the way to the layers may be passed by the group of the images user, which the sandboxes' users are in, and listed by
 *  nobody: whose image is private, a stranger on this machine must not read. */
export async function makeLayout(layout: StoreLayout, user: ImagesUser | null): Promise<void> {
  const own = process.getuid?.() ?? 0;
  for (const folder of [layout.folder, layout.layers]) {
    await mkdir(folder, { recursive: true });
    if (user !== null) await chown(folder, own, user.gid);
    await chmod(folder, 0o710);
  }
  for (const folder of [layout.manifests, layout.incoming]) await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(layout.unpacking, { recursive: true, mode: 0o711 });
  for (const folder of [`${layout.unpacking}/${layout.session}`, layout.trash]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (user !== null) await chown(folder, user.uid, user.gid);
  }
}
