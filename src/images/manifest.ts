import { createHash } from "node:crypto";
import { z } from "zod";
import { SluiceError } from "../core/errors.ts";
import type { Descriptor, ImageConfig } from "./image.ts";
import { choosePlatform, type Platform } from "./platform.ts";

/** Larger ones are refused: real ones have a few kilobytes. */
export const MAX_MANIFEST_BYTES = 4 * 1024 ** 2;
export const MAX_CONFIG_BYTES = 8 * 1024 ** 2;
export const MAX_LAYERS = 120;

/** Media types that a registry is asked for. @see OCI image specification; Docker Registry HTTP API V2, "Image Manifest V2, Schema 2" */
export const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const size = z.int().min(0);

const descriptor = z.object({ digest, size, mediaType: z.string().max(255) });
const platform = z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() });

const index = z.object({
  manifests: z
    .array(descriptor.extend({ platform: platform.nullish(), annotations: z.record(z.string(), z.string()).nullish() }))
    .max(1000),
});
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const config = z.object({
  architecture: z.string(),
  os: z.string(),
  config: z
    .object({
      Env: texts,
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Entrypoint: texts,
      Cmd: texts,
    })
    .nullish(),
  rootfs: z.object({
    diff_ids: z
      .array(digest)
      .nullish()
      .transform((list) => list ?? []),
  }),
});

/** An index, or the manifest of one platform. */
export type Manifest =
  | { readonly kind: "index"; readonly entries: readonly IndexEntry[] }
  | { readonly kind: "manifest"; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

export interface IndexEntry extends Descriptor {
  /** Null where the index names none. */
  readonly platform: Platform | null;
  readonly annotations: Readonly<Record<string, string>>;
}

/** @throws SluiceError IMAGE_INVALID, IMAGE_UNSUPPORTED (schema 1, too many layers) */
export function parseManifest(bytes: Uint8Array, image: string): Manifest {
  const json = parseJson(bytes, image, "manifest");
  if (isObject(json) && "manifests" in json) {
    const { manifests } = checked(index, json, image, "index");
    return {
      kind: "index",
      entries: manifests.map((entry) => ({
        ...descriptorOf(entry),
        platform: entry.platform ? { ...entry.platform, variant: entry.platform.variant ?? "" } : null,
        annotations: entry.annotations ?? {},
      })),
    };
  }
  if (isObject(json) && json.schemaVersion === 1) {
    throw new SluiceError(
      "IMAGE_UNSUPPORTED",
      `Cannot use the image "${image}": its manifest is of Docker's schema 1 (push it again with a client of after 2016)`,
    );
  }
  const { config: named, layers } = checked(manifest, json, image, "manifest");
  if (layers.length > MAX_LAYERS) {
    throw new SluiceError(
      "IMAGE_UNSUPPORTED",
      `Cannot use the image "${image}": it has ${layers.length} layers, at most ${MAX_LAYERS} can be mounted`,
    );
  }
  return { kind: "manifest", config: descriptorOf(named), layers: layers.map(descriptorOf) };
}

/** The manifest in an index for this machine. @throws SluiceError IMAGE_UNSUPPORTED */
export function manifestForHere(entries: readonly IndexEntry[], image: string): Descriptor {
  const named = entries.flatMap((entry) => (entry.platform === null ? [] : [{ ...entry, platform: entry.platform }]));
  const [only] = entries;
  // Tools that build for one platform leave it out; the config says it.
  if (named.length === 0 && entries.length === 1 && only !== undefined) return only;
  return choosePlatform(image, named);
}

/** @throws SluiceError IMAGE_INVALID; IMAGE_UNSUPPORTED when it is built for another machine */
export function parseConfig(bytes: Uint8Array, image: string, layers: number): ImageConfig {
  const {
    architecture,
    os,
    config: given,
    rootfs,
  } = checked(config, parseJson(bytes, image, "config"), image, "config");
  choosePlatform(image, [{ platform: { architecture, os, variant: "" } }]);
  if (rootfs.diff_ids.length !== layers) {
    throw invalid(image, `its config names ${rootfs.diff_ids.length} layers and its manifest ${layers}`);
  }
  const workingDirectory = given?.WorkingDir ?? "";
  if (!isPath(workingDirectory)) throw invalid(image, "its working directory is no path");
  return {
    architecture,
    os,
    env: environment(given?.Env ?? []),
    workingDirectory: workingDirectory === "" ? "/" : `/${workingDirectory.split("/").filter(isPart).join("/")}`,
    user: given?.User ?? "",
    entrypoint: given?.Entrypoint ?? [],
    command: given?.Cmd ?? [],
    diffIds: rootfs.diff_ids,
  };
}

const [MAX_NAME_BYTES, MAX_PATH_BYTES] = [255, 4000];
const isPath = (path: string): boolean =>
  !path.includes("\0") &&
  Buffer.byteLength(path) <= MAX_PATH_BYTES &&
  path.split("/").every((part) => Buffer.byteLength(part) <= MAX_NAME_BYTES);

const isPart = (part: string): boolean => part !== "" && part !== "." && part !== "..";

/** Docker lets the last of two win. */
function environment(lines: readonly string[]): Record<string, string> {
  const pairs = lines.flatMap((line): [string, string][] => {
    const at = line.indexOf("=");
    return at > 0 && !line.includes("\0") ? [[line.slice(0, at), line.slice(at + 1)]] : [];
  });
  return Object.fromEntries(pairs);
}

/** Refuses bytes that are not what their name says. @throws SluiceError IMAGE_INVALID */
export function verifyDigest(bytes: Uint8Array, expected: string, image: string, what: string): void {
  if (digestOf(bytes) !== expected) throw invalid(image, `its ${what} is not the one of its digest ${expected}`);
}

export const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const descriptorOf = (given: z.infer<typeof descriptor>): Descriptor => ({
  digest: given.digest,
  mediaType: given.mediaType,
  sizeBytes: given.size,
});

function parseJson(bytes: Uint8Array, image: string, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(image, `its ${what} is no JSON`, error);
  }
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  image: string,
  what: string,
): z.output<Schema> {
  const { data, error } = schema.safeParse(json);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw invalid(image, `its ${what} is not as it should be (${issue?.path.join(".")}: ${issue?.message})`);
}

const isObject = (json: unknown): json is Record<string, unknown> => typeof json === "object" && json !== null;

export function invalid(image: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError("IMAGE_INVALID", `Cannot use the image "${image}": ${why}`, { cause });
}
