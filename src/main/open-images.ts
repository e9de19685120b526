import { statfs } from "node:fs/promises";
import type { Config } from "../config/config.ts";
import { openImageFile } from "../images/archive/image-file.ts";
import type { Images } from "../images/images.ts";
import { localImages } from "../images/local-images.ts";
import { openImageStore } from "../images/store/image-store.ts";
import type { Clock } from "../lib/clock.ts";
import { Egress } from "../lib/egress.ts";
import type { Log } from "../lib/log.ts";

export interface ImagesPlace {
  /** `DIR/images`. */
  readonly folder: string;
  /** The group of the sandboxes' users; null where the server is an ordinary user. */
  readonly slotsGid: number | null;
  /** Digests that current services are pinned to. */
  readonly pinned: () => Promise<ReadonlySet<string>>;
  readonly ownPorts: () => readonly number[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Share of the file system that images may take where the configuration says nothing. */
const DEFAULT_SHARE = 0.25;

/** The images of this machine out of the configuration. As root they belong to the user below the slots', who runs nothing. */
export async function openImages({ images, slots, store }: Config, place: ImagesPlace): Promise<Images> {
  const { folder, slotsGid, pinned, ownPorts, clock, log } = place;
  const maxBytes = images.maxBytes ?? (await shareOf(folder));
  const user = slotsGid === null ? null : { uid: slots.uidBase - 1, gid: slotsGid };
  const egress = new Egress({ namedHosts: images.plainHttp, allowPrivate: images.privateNetworks, ownPorts });
  const { keepFreeBytes } = store;
  const kept = await openImageStore({ folder, user, maxBytes, keepFreeBytes, pinned, clock, log });
  const freeBytes = (): Promise<number> => kept.freeBytes();
  return localImages({
    store: kept,
    registry: { egress, plainHosts: images.plainHttp, mirrors: mirrorsOf(images.mirrors) },
    dockerConfig: images.dockerConfig,
    pullSecrets: images.pullSecrets,
    pullSecretUsers: images.pullSecretUsers,
    credentialHelpers: images.credentialHelpers,
    openFile(path, { isAdmin }, signal) {
      const folders = isAdmin ? null : images.folders;
      return openImageFile(path, { folders, scratch: `${folder}/incoming`, maxBytes, freeBytes, signal });
    },
  });
}

async function shareOf(folder: string): Promise<number> {
  const { bsize, blocks } = await statfs(folder);
  return Math.floor(bsize * blocks * DEFAULT_SHARE);
}

function mirrorsOf(mirrors: Config["images"]["mirrors"]): Record<string, readonly string[]> {
  const names = [...new Set(mirrors.map(([registry]) => registry))];
  return Object.fromEntries(names.map((name) => [name, mirrors.filter(([of]) => of === name).map(([, host]) => host)]));
}
