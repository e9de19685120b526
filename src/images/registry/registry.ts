import { isIP } from "node:net";
import { isSluiceError, SluiceError } from "../../core/errors.ts";
import { addressKind } from "../../lib/address-kind.ts";
import type { Egress, EgressResponse } from "../../lib/egress.ts";
import type { Credentials } from "../credentials.ts";
import type { Descriptor, ImageManifest, ImageSource } from "../image.ts";
import {
  digestOf,
  invalid,
  MANIFEST_TYPES,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  manifestForHere,
  parseConfig,
  parseManifest,
  verifyDigest,
} from "../manifest.ts";
import { formatImageReference, type ImageReference } from "../reference.ts";
import { readBounded } from "./read-bounded.ts";
import { RegistryHost } from "./registry-host.ts";

export interface RegistryOptions {
  readonly egress: Egress;
  /** Hosts, as `name` or `name:port`, that speak plain HTTP; loopback may always. */
  readonly plainHosts: readonly string[];
  /** Registry as people write it (`docker.io`) → hosts that are asked before it, without credentials. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
}

/** An image in a registry: what its name stands for, and its blobs. Mirrors are asked first; what they say is believed only where a digest proves it,
 *  or for a tag as far as the operator believes them.
 *  @param credentials null to ask without @param trusted the administrator asks */
export function registrySource(
  reference: ImageReference,
  credentials: Credentials | null,
  trusted: boolean,
  options: RegistryOptions,
): ImageSource {
  const image = formatImageReference(reference);
  const { egress, plainHosts, mirrors } = options;
  const hostOf = (host: string, own: boolean): RegistryHost =>
    new RegistryHost({
      egress,
      host,
      isPlain: plainHosts.includes(host) || isLoopback(host),
      repository: reference.repository,
      credentials: own ? credentials : null,
      trusted,
      image,
    });
  const hosts = [
    ...(mirrors[reference.registryName] ?? []).map((host) => hostOf(host, false)),
    hostOf(reference.registry, true),
  ];

  /** The first host's answer; an error of the last is the error. */
  async function ask(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<EgressResponse> {
    for (const host of hosts.slice(0, -1)) {
      try {
        return await host.get(path, headers, signal);
      } catch (error) {
        if (!isSluiceError(error)) throw error;
      }
    }
    const last = hosts.at(-1);
    if (last === undefined) throw new Error("a registry has a host");
    return await last.get(path, headers, signal);
  }

  async function document(path: string, maxBytes: number, accept: string, signal: AbortSignal): Promise<Buffer> {
    try {
      const { body } = await ask(path, { accept }, signal);
      return await readBounded(body, maxBytes);
    } catch (error) {
      if (!isSluiceError(error, "EGRESS_FAILED")) throw error;
      throw new SluiceError("REGISTRY_UNREACHABLE", `Cannot get the image "${image}": ${error.message}`, {
        cause: error,
      });
    }
  }

  async function manifestBytes(name: string, signal: AbortSignal): Promise<Buffer> {
    const bytes = await document(`manifests/${name}`, MAX_MANIFEST_BYTES, MANIFEST_TYPES.join(", "), signal);
    if (name.startsWith("sha256:")) verifyDigest(bytes, name, image, "manifest");
    return bytes;
  }

  return {
    async manifest(signal): Promise<ImageManifest> {
      let bytes = await manifestBytes(reference.digest ?? reference.tag ?? "latest", signal);
      let parsed = parseManifest(bytes, image);
      if (parsed.kind === "index") {
        bytes = await manifestBytes(manifestForHere(parsed.entries, image).digest, signal);
        parsed = parseManifest(bytes, image);
      }
      if (parsed.kind === "index") throw invalid(image, "its index names another index");
      const { digest } = parsed.config;
      const config = await document(`blobs/${digest}`, MAX_CONFIG_BYTES, "*/*", signal);
      verifyDigest(config, digest, image, "config");
      const { layers } = parsed;
      return { digest: digestOf(bytes), config: parseConfig(config, image, layers.length), layers };
    },
    blob: (blob: Descriptor, offset: number, signal: AbortSignal) => blobPieces(ask, blob, offset, signal),
    close: async () => {},
  };
}

/** Pieces from the offset on, whether or not the registry knows ranges. */
async function* blobPieces(
  ask: (path: string, headers: Record<string, string>, signal: AbortSignal) => Promise<EgressResponse>,
  { digest }: Descriptor,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { status, body } = await ask(`blobs/${digest}`, offset === 0 ? {} : { range: `bytes=${offset}-` }, signal);
  let skip = status === 206 ? 0 : offset;
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      if (skip < piece.length) yield piece.subarray(skip);
      skip = Math.max(0, skip - piece.length);
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("REGISTRY_UNREACHABLE", "Cannot go on with a layer: the registry cut the connection", {
      cause: error,
    });
  } finally {
    body.destroy();
  }
}

function isLoopback(host: string): boolean {
  const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[|\]$/g, "") ?? "";
  return name === "localhost" || (isIP(name) !== 0 && addressKind(name) === "loopback");
}
