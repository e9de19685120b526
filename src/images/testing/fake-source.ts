import { gzipSync } from "node:zlib";
import type { Descriptor, ImageConfig, ImageManifest, ImageSource } from "../image.ts";
import { sha256 } from "./fake-registry.ts";
import { endOfTar } from "./make-tar.ts";

const GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";

const CONFIG: Omit<ImageConfig, "diffIds"> = {
  architecture: "amd64",
  os: "linux",
  env: {},
  workingDirectory: "/",
  user: "",
  entrypoint: [],
  command: [],
};

/** A layer as a registry gives it. */
export interface FakeLayer {
  readonly bytes: Buffer;
  readonly diffId: string;
}

export function layerOf(...members: readonly Buffer[]): FakeLayer {
  const tar = Buffer.concat([...members, endOfTar]);
  return { bytes: gzipSync(tar), diffId: sha256(tar) };
}

/** An image in memory, which counts what is asked of it. */
export interface FakeSource extends ImageSource {
  key: string;
  readonly image: ImageManifest;
  /** Digest and offset of each call for a blob. */
  readonly calls: string[];
  /** Bytes by digest; may be changed. */
  readonly blobs: Map<string, Buffer>;
  /** Ends a stream in the middle, after so many bytes; null never. One more try gets as many again. */
  diesAfter: number | null;
  /** Waited for before each blob's last piece. */
  gate: Promise<void>;
}

export function fakeSource(layers: readonly FakeLayer[], over: Partial<ImageConfig> = {}): FakeSource {
  const blobs = new Map(layers.map(({ bytes }) => [sha256(bytes), bytes]));
  const descriptors = layers.map(
    ({ bytes }): Descriptor => ({ digest: sha256(bytes), mediaType: GZIP, sizeBytes: bytes.length }),
  );
  const config = { ...CONFIG, diffIds: layers.map(({ diffId }) => diffId), ...over };
  const source: FakeSource = {
    key: "fake",
    image: { digest: sha256(JSON.stringify(config)), config, layers: descriptors },
    calls: [],
    blobs,
    diesAfter: null,
    gate: Promise.resolve(),
    manifest: async (signal) => {
      signal.throwIfAborted();
      return source.image;
    },
    async *blob({ digest }, offset, signal) {
      source.calls.push(`${digest} ${offset}`);
      const bytes = blobs.get(digest);
      if (bytes === undefined) throw new Error("no such blob");
      const end = source.diesAfter === null ? bytes.length : Math.min(bytes.length, offset + source.diesAfter);
      const middle = Math.floor((offset + end) / 2);
      yield bytes.subarray(offset, middle);
      await source.gate;
      signal.throwIfAborted();
      yield bytes.subarray(middle, end);
    },
    close: async () => {},
  };
  return source;
}
