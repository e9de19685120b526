import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, createReadStream, mkdirSync, mkdtempSync, renameSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Descriptor, ImageConfig, ImageSource } from "../src/images/image.ts";
import { openImageStore } from "../src/images/store/image-store.ts";
import { systemClock } from "../src/lib/clock.ts";
import { silentLog } from "../src/lib/log.ts";
import { removeTree } from "../src/lib/remove-tree.ts";
import type { Bench, BenchResult } from "./bench.ts";
import { median } from "./statistics.ts";

const RUNS = 3;
const TARGET = 0.8;
/** About 500 MB on Debian, most of it in small files. */
const FOLDERS = ["lib/python3", "lib/python3.11", "lib/gcc", "include", "share/doc"];
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** An image of this machine's own programs, from its blob to a root that is on the disk, beside `umoci unpack` of the same. */
export const imageUnpack: Bench = {
  name: "image-unpack",
  unit: "MB/s",
  async run(): Promise<BenchResult> {
    const folder = mkdtempSync(`${tmpdir()}/sluice-unpack-`);
    chmodSync(folder, 0o755);
    try {
      const image = await makeImage(folder);
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let run = 0; run < RUNS; run++) {
        ours.push(await unpackMs(folder, image));
        theirs.push(umociMs(folder));
      }
      const speedOf = (ms: number): number => image.unpackedBytes / 1000 / ms;
      const [value, floor] = [speedOf(median(ours)), speedOf(median(theirs))];
      return {
        value,
        floor,
        ratio: value / floor,
        target: `≥ ${TARGET} × umoci unpack`,
        ok: value / floor >= TARGET,
        notes: [
          `${Math.round(image.unpackedBytes / 1e6)} MB in one layer of gzip -1; ours ends with everything on the disk, umoci's does not`,
        ],
      };
    } finally {
      await removeTree(folder);
    }
  },
};

interface BenchImage {
  readonly config: ImageConfig;
  readonly digest: string;
  readonly layer: Descriptor;
  readonly path: string;
  readonly unpackedBytes: number;
}

/** An OCI layout in `layout`. */
async function makeImage(folder: string): Promise<BenchImage> {
  const blobs = `${folder}/layout/blobs/sha256`;
  mkdirSync(blobs, { recursive: true });
  const tar = `${folder}/layer.tar`;
  run("tar", ["-C", "/usr", "-cf", tar, ...FOLDERS]);
  const diffId = await digestOf(tar);
  const unpackedBytes = statSync(tar).size;
  run("gzip", ["-1", tar]);
  const digest = await digestOf(`${tar}.gz`);
  const path = `${blobs}/${digest.slice("sha256:".length)}`;
  renameSync(`${tar}.gz`, path);
  const layer = { digest, mediaType: LAYER, sizeBytes: statSync(path).size };
  const put = (content: object): { digest: string; size: number } => {
    const text = JSON.stringify(content);
    const name = createHash("sha256").update(text).digest("hex");
    writeFileSync(`${blobs}/${name}`, text);
    return { digest: `sha256:${name}`, size: text.length };
  };
  const rootfs = { type: "layers", diff_ids: [diffId] };
  const config = put({ architecture: "amd64", os: "linux", config: {}, rootfs });
  const type = (what: string): string => `application/vnd.oci.image.${what}.v1+json`;
  const manifest = put({
    schemaVersion: 2,
    mediaType: type("manifest"),
    config: { mediaType: type("config"), ...config },
    layers: [{ mediaType: LAYER, digest, size: layer.sizeBytes }],
  });
  const annotations = { "org.opencontainers.image.ref.name": "bench" };
  const manifests = [{ mediaType: type("manifest"), ...manifest, annotations }];
  writeFileSync(`${folder}/layout/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(`${folder}/layout/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  const empty = { env: {}, workingDirectory: "/", user: "", entrypoint: [], command: [] };
  return {
    config: { ...empty, architecture: "amd64", os: "linux", diffIds: [diffId] },
    digest: manifest.digest,
    layer,
    path,
    unpackedBytes,
  };
}

/** A whole pull into an empty store, the copy of the blob and the wait for the disk with it. */
async function unpackMs(folder: string, { config, digest, layer, path }: BenchImage): Promise<number> {
  const source: ImageSource = {
    key: path,
    manifest: async () => ({ digest, config, layers: [layer] }),
    blob: (_blob, offset) => createReadStream(path, { start: offset, highWaterMark: 256 * 1024 }),
    close: async () => {},
  };
  const isRoot = process.getuid?.() === 0;
  const store = await openImageStore({
    folder: `${folder}/images`,
    user: isRoot ? { uid: 200_255, gid: 200_000 } : null,
    maxBytes: Number.MAX_SAFE_INTEGER,
    keepFreeBytes: 0,
    pinned: async () => new Set(),
    clock: systemClock,
    log: silentLog,
  });
  run("sync", ["-f", folder]);
  const begun = performance.now();
  const held = await store.pull(source, { reference: "bench", signal: new AbortController().signal });
  const ms = performance.now() - begun;
  held.release();
  await store.remove(digest);
  await store.close();
  return ms;
}

function umociMs(folder: string): number {
  run("sync", ["-f", folder]);
  const bundle = `${folder}/bundle`;
  const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
  const begun = performance.now();
  run("umoci", ["unpack", ...rootless, "--image", `${folder}/layout:bench`, bundle]);
  const ms = performance.now() - begun;
  run("rm", ["-rf", bundle]);
  return ms;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(piece as Buffer);
  return `sha256:${hash.digest("hex")}`;
}

function run(program: string, options: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, options, {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (error !== undefined)
    throw new Error(`${program} is missing: it is what this is measured beside`, { cause: error });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
}
