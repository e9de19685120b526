import type { HeldImage } from "./image.ts";

/** What a service's image stands for: the same bytes for as long as its revision lives. */
export interface PinnedImage {
  /** The name in full, `docker.io/library/python:3.13-slim`, or `file:/srv/images/tool.tar`. */
  readonly reference: string;
  /** `sha256:<64 hex>` of the manifest for this machine's platform. */
  readonly digest: string;
}

/** Whose rights an image is asked for with. */
export interface ImageAsker {
  readonly owner: string;
  readonly isAdmin: boolean;
  /** Names of credentials in the server's configuration. */
  readonly pullSecrets: readonly string[];
}

export interface PullProgress {
  readonly layersDone: number;
  readonly layers: number;
  /** Of the layers as they lie in the registry. */
  readonly bytesDone: number;
  readonly bytes: number;
}

export interface PullOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** One image that is here. */
export interface StoredImage {
  readonly digest: string;
  /** Names that it was pulled by, newest first. */
  readonly references: readonly string[];
  /** Unpacked. */
  readonly sizeBytes: number;
  /** What removing it would free: layers that no other image has. */
  readonly ownBytes: number;
  /** UTC ms. */
  readonly pulledAt: number;
  readonly usedAt: number;
  /** A sandbox runs on it now. */
  readonly isHeld: boolean;
}

/** Images on this machine. */
export interface Images {
  /** Asks the registry what the name stands for now. The answer says that it gives the image to this asker.
   *  @throws SluiceError IMAGE_UNSUPPORTED (no name of an image, another architecture), IMAGE_UNKNOWN, IMAGE_DENIED, IMAGE_INVALID, REGISTRY_UNREACHABLE */
  pin(image: string, asker: ImageAsker, signal: AbortSignal): Promise<PinnedImage>;
  /** The image, pulled if it is not here; it cannot be removed before `release`. Calls for one image share one pull.
   *  @throws SluiceError as `pin`, DISK_FULL; the signal's reason when aborted */
  hold(image: PinnedImage, asker: ImageAsker, options: PullOptions): Promise<HeldImage>;
  list(): readonly StoredImage[];
  /** @returns bytes that were freed @throws SluiceError IMAGE_UNKNOWN; IMAGE_IN_USE while a sandbox runs on it */
  remove(digest: string): Promise<number>;
  /** Removes what no sandbox runs on and no service is pinned to. @param pinned digests to keep @returns bytes that were freed */
  prune(pinned: ReadonlySet<string>): Promise<number>;
  close(): Promise<void>;
}
