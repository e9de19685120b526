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
  const names = Object.hasOwn(mirrors, reference.registryName) ? (mirrors[reference.registryName] ?? []) : [];
  const mirrorHosts = names.map((host) => hostOf(host, false));
  const own = hostOf(reference.registry, true);

  /** The first host's answer that is of use; an error of the registry itself is the error. */
  async function first<T>(signal: AbortSignal, use: (host: RegistryHost) => Promise<T>): Promise<T> {
    for (const mirror of mirrorHosts) {
      try {
        return await use(mirror);
      } catch (error) {
        signal.throwIfAborted();
        if (!isSluiceError(error)) throw error;
      }
    }
    return await use(own);
  }

  /** @param read throws for what is not as it should be */
  function document<T>(what: Wanted, signal: AbortSignal, read: (bytes: Buffer) => T): Promise<T> {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(DOCUMENT_WITHIN_MS)]);
    return first(signal, async (host) => {
      try {
        const { body } = await host.get(what.path, { accept: what.accept }, soon);
        return read(await readBounded(body, what.maxBytes));
      } catch (error) {
        signal.throwIfAborted();
        if (!soon.aborted && !isSluiceError(error, "EGRESS_FAILED")) throw error;
        const why = soon.aborted ? `it takes more than ${DOCUMENT_WITHIN_MS / 1000} s` : (error as Error).message;
        throw new SluiceError("REGISTRY_UNREACHABLE", `Cannot get the image "${image}": ${why}`, { cause: error });
      }
    });
  }

  function manifest(name: string, signal: AbortSignal) {
    const what = { path: `manifests/${name}`, maxBytes: MAX_MANIFEST_BYTES, accept: MANIFEST_TYPES.join(", ") };
    return document(what, signal, (bytes) => {
      if (name.startsWith("sha256:")) verifyDigest(bytes, name, image, "manifest");
      return { bytes, parsed: parseManifest(bytes, image) };
    });
  }

  return {
    key: `${reference.registry}/${reference.repository}`,
    async manifest(signal): Promise<ImageManifest> {
      let { bytes, parsed } = await manifest(reference.digest ?? reference.tag ?? "latest", signal);
      if (parsed.kind === "index") {
        ({ bytes, parsed } = await manifest(manifestForHere(parsed.entries, image).digest, signal));
      }
      if (parsed.kind === "index") throw invalid(image, "its index names another index");
      const { layers } = parsed;
      const { digest } = parsed.config;
      const what = { path: `blobs/${digest}`, maxBytes: MAX_CONFIG_BYTES, accept: "*/*" };
      const config = await document(what, signal, (read) => {
        verifyDigest(read, digest, image, "config");
        return parseConfig(read, image, layers.length);
      });
      return { digest: digestOf(bytes), config, layers };
    },
    blob(blob: Descriptor, offset: number, signal: AbortSignal) {
      const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
      const ask = (): Promise<EgressResponse> =>
        first(signal, async (host) => {
          const response = await host.get(`blobs/${blob.digest}`, headers, signal);
          if (host === own || hasLength(response, blob.sizeBytes, offset)) return response;
          response.body.destroy();
          throw new SluiceError("IMAGE_INVALID", "Cannot use what the mirror answers: it is not the blob");
        });
      return blobPieces(ask, offset);
    },
    close: async () => {},
  };
}

interface Wanted {
  readonly path: string;
  readonly maxBytes: number;
  readonly accept: string;
}

/** A manifest or config is small: who sends it byte by byte holds up others. */
const DOCUMENT_WITHIN_MS = 120_000;

/** False for a page that a mirror shows in the blob's place; one that says no length may be it. */
function hasLength({ status, headers }: EgressResponse, sizeBytes: number, offset: number): boolean {
  const length = headers["content-length"];
  return length === undefined || Number(length) === (status === 206 ? sizeBytes - offset : sizeBytes);
}

/** Pieces from the offset on, whether or not the registry knows ranges. */
async function* blobPieces(ask: () => Promise<EgressResponse>, offset: number): AsyncGenerator<Uint8Array> {
  const { status, body } = await ask();
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
