import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

export interface FakeImage {
  readonly digest: string;
  readonly configDigest: string;
  readonly layerDigests: readonly string[];
}

/** Answers in the registry's place; false lets it answer. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A registry on loopback in this process, which can be told to misbehave. */
export interface FakeRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Method and path of each call, without tokens. */
  readonly calls: string[];
  misbehave: Misbehaviour;
  /** `user:password` that it wants, by Basic or by a token; null for anybody. */
  auth: { readonly kind: "basic" | "token"; readonly secret: string } | null;
  /** False ignores Range. */
  knowsRanges: boolean;
  /** Puts an image under a tag. @param layers compressed bytes, with their uncompressed digests */
  put(
    repository: string,
    tag: string,
    layers: readonly { readonly bytes: Uint8Array; readonly diffId: string; readonly mediaType?: string }[],
    config?: Readonly<Record<string, unknown>>,
  ): FakeImage;
  /** Puts an index under a tag. */
  putIndex(repository: string, tag: string, entries: readonly Readonly<Record<string, unknown>>[]): string;
  putRaw(repository: string, tag: string, bytes: string | Uint8Array, mediaType?: string): string;
  /** Bytes by digest: may be changed. */
  readonly blobs: Map<string, Uint8Array>;
  close(): Promise<void>;
}

export async function fakeRegistry(): Promise<FakeRegistry> {
  const blobs = new Map<string, Uint8Array>();
  const manifests = new Map<string, { readonly bytes: Uint8Array; readonly mediaType: string }>();
  const server = createServer((request, response) => {
    registry.calls.push(`${request.method} ${(request.url ?? "").split("?")[0]}`);
    if (!registry.misbehave(request, response)) answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const registry: FakeRegistry = {
    host,
    calls: [],
    misbehave: () => false,
    auth: null,
    knowsRanges: true,
    blobs,
    put(repository, tag, layers, config = {}) {
      const descriptors = layers.map(({ bytes, mediaType = GZIP_LAYER }) => {
        blobs.set(sha256(bytes), bytes);
        return { mediaType, digest: sha256(bytes), size: bytes.length };
      });
      const image = {
        architecture: process.arch === "arm64" ? "arm64" : "amd64",
        os: "linux",
        config: {},
        rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
        ...config,
      };
      const bytes = Buffer.from(JSON.stringify(image));
      blobs.set(sha256(bytes), bytes);
      const manifest = {
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256(bytes), size: bytes.length },
        layers: descriptors,
      };
      const digest = registry.putRaw(repository, tag, JSON.stringify(manifest), MANIFEST);
      return { digest, configDigest: sha256(bytes), layerDigests: descriptors.map((each) => each.digest) };
    },
    putIndex: (repository, tag, entries) =>
      registry.putRaw(
        repository,
        tag,
        JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: entries }),
        INDEX,
      ),
    putRaw(repository, tag, bytes, mediaType = MANIFEST) {
      const entry = { bytes: Buffer.from(bytes), mediaType };
      for (const name of [tag, sha256(bytes)]) manifests.set(`${repository}/${name}`, entry);
      return sha256(bytes);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", `http://${host}`);
    if (url.pathname === "/token") giveToken(request, response);
    else if (isAuthorised(request)) give(request, response, url);
    else challenge(response);
  }

  function give(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const [, repository = "", kind, name = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    const manifest = kind === "manifests" ? manifests.get(`${repository}/${name}`) : undefined;
    if (manifest !== undefined) {
      response.writeHead(200, { "content-type": manifest.mediaType }).end(manifest.bytes);
      return;
    }
    const blob = kind === "blobs" ? blobs.get(name) : undefined;
    if (blob === undefined) response.writeHead(404).end();
    else giveBlob(request, response, blob);
  }

  function giveBlob(request: IncomingMessage, response: ServerResponse, blob: Uint8Array): void {
    const from = registry.knowsRanges ? /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] : undefined;
    response.writeHead(from === undefined ? 200 : 206).end(blob.subarray(Number(from ?? 0)));
  }

  function isAuthorised({ headers: { authorization = "" } }: IncomingMessage): boolean {
    const { auth } = registry;
    if (auth === null) return true;
    return authorization === (auth.kind === "basic" ? basic(auth.secret) : `Bearer token-of-${auth.secret}`);
  }

  function challenge(response: ServerResponse): void {
    const value =
      registry.auth?.kind === "basic"
        ? 'Basic realm="fake"'
        : `Bearer realm="http://${host}/token",service="fake",scope="repository:x:pull"`;
    response.writeHead(401, { "www-authenticate": value }).end();
  }

  function giveToken(request: IncomingMessage, response: ServerResponse): void {
    const secret = registry.auth?.secret ?? "";
    const isKnown = request.headers.authorization === basic(secret);
    if (isKnown) response.end(JSON.stringify({ token: `token-of-${secret}`, expires_in: 300 }));
    else response.writeHead(401).end();
  }

  return registry;
}

const basic = (secret: string): string => `Basic ${Buffer.from(secret).toString("base64")}`;
