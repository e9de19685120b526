/** What an image says of how its program runs. @see OCI image specification, config.md */
export interface ImageConfig {
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly os: string;
  readonly env: Readonly<Record<string, string>>;
  /** Absolute; `/` where the image names none. */
  readonly workingDirectory: string;
  /** `USER` as it was written: a name or number, with or without `:group`; empty for root. */
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** Digest of each layer's uncompressed bytes, lowest first. */
  readonly diffIds: readonly string[];
}

/** A blob that a manifest names. */
export interface Descriptor {
  /** `sha256:<64 hex>`. */
  readonly digest: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** A manifest of one platform, with its config. Both were verified against their digests. */
export interface ImageManifest {
  /** Of the manifest of this machine's platform. What revisions are pinned to. */
  readonly digest: string;
  readonly config: ImageConfig;
  /** Lowest first, as many as `config.diffIds`. */
  readonly layers: readonly Descriptor[];
}

/** Where an image comes from: a registry, a `docker save` archive, an OCI layout. */
export interface ImageSource {
  /** Sources with the same key are the same place: what one of them does is done for all. */
  readonly key: string;
  /** @throws SluiceError IMAGE_UNKNOWN, IMAGE_DENIED, IMAGE_INVALID, IMAGE_UNSUPPORTED (another architecture), REGISTRY_UNREACHABLE */
  manifest(signal: AbortSignal): Promise<ImageManifest>;
  /** The bytes of a blob as they lie there (compressed as the media type says), from `offset` on. They are NOT verified: the reader does.
   *  @throws SluiceError as `manifest` */
  blob(blob: Descriptor, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** An image that is unpacked here and cannot vanish before `release`. */
export interface HeldImage {
  readonly digest: string;
  readonly config: ImageConfig;
  /** Absolute paths of overlayfs lower folders, lowest first. Never written again. */
  readonly layers: readonly string[];
  readonly sizeBytes: number;
  release(): void;
}
