import { invalidArchive } from "./tar/tar-header.ts";

const FRAME = 0xfd2fb528;
/** Frames of user data begin with 0x184D2A50 to 0x184D2A5F. */
const SKIPPABLE = 0x184d2a5;

/** What comes next: bytes of a number that says how to go on, bytes to be passed over, or the end of a frame. */
type Step = { readonly is: "number" | "data"; readonly bytes: number } | { readonly is: "end" };

/** Cuts a zstd stream at the ends of its frames. Node's decompressor reads on after the end of a frame only in another piece: what follows in the
 *  same piece it drops without a word. Archives of many frames are common (pzstd, zstd:chunked).
 *  @throws SluiceError IMAGE_INVALID when the stream ends inside of a frame, or when no frame follows one
 *  @see RFC 8878, 3.1 */
export async function* zstdFrames(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const format = frames();
  let step: Step = next(format, 0);
  let done = 0;
  let value = 0;
  let isBetween = true;
  for await (const piece of pieces) {
    let from = 0;
    for (let at = 0; at < piece.length; ) {
      isBetween = false;
      const count = step.is === "number" ? 1 : Math.min(step.is === "data" ? step.bytes - done : 0, piece.length - at);
      if (step.is === "number") value += (piece[at] ?? 0) * 256 ** done;
      at += count;
      done += count;
      while (step.is !== "end" && done === step.bytes) {
        step = next(format, value);
        done = 0;
        value = 0;
      }
      if (step.is !== "end") continue;
      yield piece.subarray(from, at);
      from = at;
      step = next(format, 0);
      isBetween = true;
    }
    if (from < piece.length) yield piece.subarray(from);
  }
  if (!isBetween) throw invalidArchive("it ends inside of a zstd frame");
}

function next(format: Generator<Step, never, number>, value: number): Step {
  return format.next(value).value;
}

/** The format of frames, one after another; each number that is asked for is given little-endian. */
function* frames(): Generator<Step, never, number> {
  for (;;) {
    const magic = yield { is: "number", bytes: 4 };
    if (Math.floor(magic / 16) === SKIPPABLE) yield { is: "data", bytes: yield { is: "number", bytes: 4 } };
    else if (magic === FRAME) yield* frame();
    else throw invalidArchive("something that is no zstd frame follows one");
    yield { is: "end" };
  }
}

function* frame(): Generator<Step, void, number> {
  const descriptor = yield { is: "number", bytes: 1 };
  yield { is: "data", bytes: headerBytes(descriptor) };
  for (let isLast = false; !isLast; ) {
    const block = yield { is: "number", bytes: 3 };
    isLast = (block & 1) === 1;
    const isRun = ((block >> 1) & 3) === 1;
    yield { is: "data", bytes: isRun ? 1 : block >> 3 };
  }
  const hasChecksum = (descriptor & 4) !== 0;
  if (hasChecksum) yield { is: "data", bytes: 4 };
}

/** Window descriptor, dictionary and content size. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return (isSingleSegment ? 0 : 1) + dictionary + contentSize;
}
