import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { SluiceError } from "../core/errors.ts";
import type { Credentials } from "./credentials.ts";
import { credentialsFor } from "./credentials.ts";
import type { HeldImage, ImageSource } from "./image.ts";
import type { ImageAsker, Images, PinnedImage, PullOptions, StoredImage } from "./images.ts";
import { formatImageReference, type ImageReference, parseImageReference } from "./reference.ts";
import { type RegistryOptions, registrySource } from "./registry/registry.ts";

export interface StorePull extends PullOptions {
  readonly reference: string;
  /** What the source must hold, where that is known. */
  readonly digest?: string;
}

/** What the images of this machine are kept in. */
export interface ImageStore {
  /** Pulls what is missing, and holds the image. */
  pull(source: ImageSource, options: StorePull): Promise<HeldImage>;
  /** The image if it is here. */
  hold(digest: string, reference: string): HeldImage | null;
  /** What the disk has for images now, less what is reserved. */
  freeBytes(): Promise<number>;
  list(): readonly StoredImage[];
  remove(digest: string): Promise<number>;
  prune(pinned: ReadonlySet<string>): Promise<number>;
  close(): Promise<void>;
}

export interface LocalImagesOptions {
  readonly store: ImageStore;
  readonly registry: RegistryOptions;
  /** Docker config file for what the administrator asks; null for none. */
  readonly dockerConfig: string | null;
  /** Name → Docker config file. */
  readonly pullSecrets: Readonly<Record<string, string>>;
  /** Secret and a user who may name it; one that is in no pair is for everybody. */
  readonly pullSecretUsers: readonly (readonly [secret: string, user: string])[];
  readonly credentialHelpers: readonly string[];
  /** Opens an archive or layout. @throws SluiceError IMAGE_DENIED for a place that the asker may not name */
  readonly openFile: (path: string, asker: ImageAsker, signal: AbortSignal) => Promise<ImageSource>;
}

/** How the name of an image that is a file begins. */
const FILE = "file:";
const HELPER_TIMEOUT_MS = 30_000;
const MAX_HELPER_BYTES = 64 * 1024;

/** Images of registries and files, kept on this machine. */
export function localImages(options: LocalImagesOptions): Images {
  const { store, registry } = options;

  async function credentials({ registryName }: ImageReference, asker: ImageAsker): Promise<Credentials | null> {
    const helpers = { allowed: options.credentialHelpers, run: runHelper };
    for (const path of credentialFiles(asker)) {
      const found = await credentialsFor(await credentialText(path), registryName, helpers);
      if (found !== null) return found;
    }
    return null;
  }

  function mayName(name: string, { owner, isAdmin }: ImageAsker): boolean {
    const users = options.pullSecretUsers.filter(([secret]) => secret === name).map(([, user]) => user);
    return isAdmin || users.length === 0 || users.includes(owner);
  }

  function credentialFiles(asker: ImageAsker): string[] {
    const { isAdmin, pullSecrets } = asker;
    const named = pullSecrets.map((name) => {
      const path = Object.hasOwn(options.pullSecrets, name) ? options.pullSecrets[name] : undefined;
      if (path !== undefined && mayName(name, asker)) return path;
      throw new SluiceError(
        "SERVICE_INVALID",
        `Cannot use image_pull_secrets: the server's configuration has none of the name "${name}" for this user (images.pull_secrets)`,
      );
    });
    return isAdmin && options.dockerConfig !== null ? [...named, options.dockerConfig] : named;
  }

  async function sourceOf(reference: ImageReference, asker: ImageAsker): Promise<ImageSource> {
    return registrySource(reference, await credentials(reference, asker), asker.isAdmin, registry);
  }

  /** A file may change or go: its image is taken over when it is named, not when it is needed. */
  async function pinFile(image: string, asker: ImageAsker, signal: AbortSignal): Promise<PinnedImage> {
    const source = await options.openFile(image.slice(FILE.length), asker, signal);
    try {
      const held = await store.pull(source, { reference: image, signal });
      held.release();
      return { reference: image, digest: held.digest };
    } finally {
      await source.close();
    }
  }

  return {
    async pin(image, asker, signal) {
      if (image.startsWith(FILE)) return await pinFile(image, asker, signal);
      const reference = parseImageReference(image);
      const source = await sourceOf(reference, asker);
      const { digest } = await source.manifest(signal);
      return { reference: formatImageReference(reference), digest };
    },
    async hold({ reference, digest }, asker, pull) {
      const here = store.hold(digest, reference);
      if (here !== null) return here;
      if (reference.startsWith(FILE)) return await holdFile({ reference, digest }, asker, pull);
      const source = await sourceOf({ ...parseImageReference(reference), digest }, asker);
      return await store.pull(source, { ...pull, reference, digest });
    },
    list: () => store.list(),
    remove: (digest) => store.remove(digest),
    prune: (pinned) => store.prune(pinned),
    close: () => store.close(),
  };

  async function holdFile(
    { reference, digest }: PinnedImage,
    asker: ImageAsker,
    pull: PullOptions,
  ): Promise<HeldImage> {
    const source = await options.openFile(reference.slice(FILE.length), asker, pull.signal);
    try {
      return await store.pull(source, { ...pull, reference, digest });
    } finally {
      await source.close();
    }
  }
}

async function credentialText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new SluiceError("CONFIG_INVALID", "Cannot read a file of registry credentials that the configuration names", {
      cause: error,
    });
  }
}

/** The helper's answer, or what it says in the place of one. */
function runHelper(name: string, registry: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: HELPER_TIMEOUT_MS, maxBuffer: MAX_HELPER_BYTES };
    const child = execFile(`docker-credential-${name}`, ["get"], limits, (error, stdout) => {
      const isMissing = error !== null && error.code === "ENOENT";
      if (isMissing) {
        reject(
          new SluiceError("CONFIG_INVALID", `Cannot ask for credentials: docker-credential-${name} is not installed`),
        );
      } else resolve(stdout);
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(registry);
  });
}
