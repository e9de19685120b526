import { createHash } from "node:crypto";
import { createReadStream, mkdirSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import { type AppliedLayer, applyLayer, type LayerLimits } from "./apply-layer.ts";
import { decompress } from "./decompress.ts";
import type { Descriptor } from "./image.ts";
import { invalidArchive } from "./tar/tar-header.ts";

const PIECE_BYTES = 256 * 1024;
/** What an archive may hold for a member besides the bytes of files: headers, names, padding. */
const HEADER_BYTES = 4096;

export interface LayerToUnpack {
  readonly blob: Descriptor;
  /** `sha256:<64 hex>` of the uncompressed bytes. */
  readonly diffId: string;
  /** Is made, and holds `fs`, the layer, and `meta`, which is of no use afterwards. */
  readonly folder: string;
  /** Folders of the layers below, lowest first, on the same file system. */
  readonly parents: readonly string[];
  readonly limits: LayerLimits;
}

/** Unpacks the blob in an open file, and verifies both digests over all bytes, those behind the archive's end too. Nothing of what it made may be
 *  used when it throws. Calls of the file system block.
 *  @throws SluiceError IMAGE_INVALID, IMAGE_UNSUPPORTED, DISK_FULL */
export async function unpackLayer(file: number, layer: LayerToUnpack): Promise<AppliedLayer> {
  try {
    return await verifiedLayer(file, layer);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOSPC" || code === "EDQUOT") throw diskFull(error);
    // Bytes that were damaged on the way fail in any manner: the digest tells.
    if (code === "IMAGE_INVALID") await verifyBlob(file, layer.blob);
    throw error;
  }
}

async function verifiedLayer(file: number, layer: LayerToUnpack): Promise<AppliedLayer> {
  const { blob, diffId, folder, parents, limits } = layer;
  const own = `${folder}/fs`;
  const meta = `${folder}/meta`;
  for (const each of [folder, own, meta]) mkdirSync(each, { mode: 0o775 });
  const compressed = new Digest();
  const uncompressed = new Digest(limits.maxBytes + limits.maxMembers * HEADER_BYTES);
  const archive = uncompressed.over(decompress(compressed.over(piecesOf(file)), blob.mediaType));
  const applied = await applyLayer({ own, meta, parents }, lent(archive), limits);
  // Behind the end of the archive, where nothing is read, bytes may follow that count for the digest.
  while ((await archive.next()).done !== true);
  compressed.mustBe(blob);
  if (uncompressed.digest !== diffId)
    throw invalidArchive(`its archive has the digest ${uncompressed.digest}, the image's configuration says ${diffId}`);
  return applied;
}

async function verifyBlob(file: number, blob: Descriptor): Promise<void> {
  const digest = new Digest();
  for await (const _ of digest.over(piecesOf(file)));
  digest.mustBe(blob);
}

function piecesOf(file: number): AsyncIterable<Buffer> {
  return createReadStream("", { fd: file, start: 0, autoClose: false, highWaterMark: PIECE_BYTES });
}

/** The same pieces, for a reader that lets them go before the end. */
function lent(pieces: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => pieces.next() }) };
}

/** Digest and length of what passes. */
class Digest {
  readonly #hash = createHash("sha256");
  readonly #maxBytes: number;
  #bytes = 0;
  #digest: string | null = null;

  constructor(maxBytes = Number.POSITIVE_INFINITY) {
    this.#maxBytes = maxBytes;
  }

  async *over(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      this.#bytes += piece.length;
      if (this.#bytes > this.#maxBytes)
        throw invalidArchive(`it has more than ${this.#maxBytes} bytes, which is the limit`);
      this.#hash.update(piece);
      yield piece;
    }
  }

  get digest(): string {
    this.#digest ??= `sha256:${this.#hash.digest("hex")}`;
    return this.#digest;
  }

  mustBe({ digest, sizeBytes }: Descriptor): void {
    if (this.#bytes !== sizeBytes)
      throw invalidArchive(`its blob has ${this.#bytes} bytes, the manifest says ${sizeBytes}`);
    if (this.digest !== digest)
      throw invalidArchive(`its blob has the digest ${this.digest}, the manifest says ${digest}`);
  }
}

function diskFull(cause: unknown): SluiceError {
  return new SluiceError(
    "DISK_FULL",
    "Cannot unpack the layer: the file system of the images is full (remove images, or give it more room)",
    { cause },
  );
}
