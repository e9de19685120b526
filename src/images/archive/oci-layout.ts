import { SluiceError } from "../../core/errors.ts";
import type { Descriptor, ImageManifest, ImageSource } from "../image.ts";
import {
  type IndexEntry,
  invalid,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  manifestForHere,
  parseConfig,
  parseManifest,
  verifyDigest,
} from "../manifest.ts";
import type { FileSet } from "./file-set.ts";

/** Where a tool writes the tag of an image. @see OCI image specification, annotations.md; containerd's own */
const NAMES = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];
/** An index in the index, as buildx writes one; deeper ones nobody makes. */
const MAX_DEPTH = 3;

export const isOciLayout = (files: FileSet): boolean => files.has("oci-layout") && files.has("index.json");

/** An image of an OCI layout. @param tag which one, where there are several; null for the only one. @see OCI image specification, image-layout.md */
export function ociLayoutSource(files: FileSet, image: string, tag: string | null): ImageSource {
  async function blobBytes({ digest }: Descriptor, maxBytes: number, what: string): Promise<Buffer> {
    const bytes = await files.read(blobName(digest), maxBytes);
    verifyDigest(bytes, digest, image, what);
    return bytes;
  }

  return {
    key: image,
    async manifest(): Promise<ImageManifest> {
      let parsed = parseManifest(await files.read("index.json", MAX_MANIFEST_BYTES), image);
      let found: Descriptor | null = null;
      for (let depth = 0; parsed.kind === "index" && depth < MAX_DEPTH; depth++) {
        const entries: readonly IndexEntry[] = depth === 0 ? named(parsed.entries, tag, image) : parsed.entries;
        found = manifestForHere(entries, image);
        parsed = parseManifest(await blobBytes(found, MAX_MANIFEST_BYTES, "manifest"), image);
      }
      if (parsed.kind === "index" || found === null) throw invalid(image, "its index names no manifest");
      const config = await blobBytes(parsed.config, MAX_CONFIG_BYTES, "config");
      const { layers } = parsed;
      return { digest: found.digest, config: parseConfig(config, image, layers.length), layers };
    },
    blob: ({ digest }, offset) => files.stream(blobName(digest), offset),
    close: () => files.close(),
  };
}

const blobName = (digest: string): string => `blobs/${digest.replace(":", "/")}`;

/** Of several images the one of the tag; entries of one image for many platforms stay together. */
function named(entries: readonly IndexEntry[], tag: string | null, image: string): readonly IndexEntry[] {
  if (tag === null) {
    const names = new Set(entries.map(nameOf));
    if (names.size <= 1) return entries;
    throw new SluiceError(
      "IMAGE_UNKNOWN",
      `Cannot choose an image of "${image}": it holds ${shownNames(entries)} (write file:PATH:TAG)`,
    );
  }
  const found = entries.filter((entry) => isTag(nameOf(entry), tag));
  if (found.length > 0) return found;
  throw new SluiceError("IMAGE_UNKNOWN", `Cannot find the tag "${tag}" in "${image}": it holds ${shownNames(entries)}`);
}

const nameOf = ({ annotations }: IndexEntry): string =>
  NAMES.map((name) => annotations[name]).find((name) => name !== undefined) ?? "";

/** `3.13`, `python:3.13` and `docker.io/library/python:3.13` are all called by `3.13`. */
export const isTag = (name: string, tag: string): boolean => name === tag || name.endsWith(`:${tag}`);

function shownNames(entries: readonly IndexEntry[]): string {
  const names = [...new Set(entries.map(nameOf))].filter((name) => name !== "");
  return names.length === 0 ? "no names" : names.slice(0, 10).join(", ");
}
