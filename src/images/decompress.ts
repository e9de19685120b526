import { Readable } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { SluiceError } from "../core/errors.ts";
import { invalidArchive } from "./tar/tar-header.ts";
import { zstdFrames } from "./zstd-frames.ts";

/** Large pieces: the fewer, the less is spent on handing them on. */
const PIECE_BYTES = 256 * 1024;
const MEDIA_TYPES =
  /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar([.+](gzip|zstd))?|docker\.image\.rootfs\.(foreign\.)?diff\.tar([.+](gzip|zstd))?)$/;

/** Whether layers of that media type can be unpacked. */
export const isLayerType = (mediaType: string): boolean => MEDIA_TYPES.test(mediaType);

/** The archive in a layer's blob. What its first bytes are decides, as media types are often wrong about it: gzip (also of many members), zstd
 *  (also of many frames) or the archive itself. A blob that ends too early throws.
 *  @throws SluiceError IMAGE_UNSUPPORTED for other media types, IMAGE_INVALID */
export async function* decompress(
  pieces: AsyncIterable<Uint8Array>,
  mediaType: string,
): AsyncGenerator<Uint8Array, void, void> {
  if (!isLayerType(mediaType)) {
    throw new SluiceError("IMAGE_UNSUPPORTED", `Cannot unpack the layer: its media type "${mediaType}" is not known`);
  }
  const { magic, all } = await peek(pieces);
  if (isGzip(magic)) yield* through(all, createGunzip({ chunkSize: PIECE_BYTES }));
  else if (isZstd(magic)) {
    yield* through(
      zstdFrames(all),
      createZstdDecompress({ chunkSize: PIECE_BYTES, params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } }),
    );
  } else yield* all;
}

/** 128 MiB, which zstd itself takes for the most that a decompressor should need. */
const MAX_WINDOW_LOG = 27;

/** @param magic the first four bytes */
export const isCompressed = (magic: Buffer): boolean => isGzip(magic) || isZstd(magic);

const isGzip = (magic: Buffer): boolean => magic.readUInt16BE(0) === 0x1f8b;

const isZstd = (magic: Buffer): boolean =>
  magic.readUInt32LE(0) === 0xfd2fb528 || magic.readUInt32LE(0) >>> 4 === 0x184d2a5;

async function* through(
  pieces: AsyncIterable<Uint8Array>,
  decompressor: NodeJS.ReadWriteStream & AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces, { objectMode: false, highWaterMark: PIECE_BYTES });
  source.on("error", (error) => (decompressor as unknown as Readable).destroy(error));
  source.pipe(decompressor);
  try {
    yield* decompressor;
  } catch (error) {
    throw isOfFormat(error) ? invalidArchive(`it cannot be decompressed: ${error.message}`) : error;
  } finally {
    source.destroy();
  }
}

const isOfFormat = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && /^(Z_|ZSTD_|ERR_ZSTD)/.test(String(error.code));

/** The first four bytes (zeros where there are fewer), and everything from the beginning. */
async function peek(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly magic: Buffer; readonly all: AsyncIterable<Uint8Array> }> {
  const iterator = pieces[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 4) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    if (head.length > 0) yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  };
  return { magic: Buffer.concat([head, Buffer.alloc(4)]), all: all() };
}
