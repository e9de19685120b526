/** Memory of request bodies, given back as soon as the bytes are written. Node makes a new buffer for each piece of a body; left to the
 *  collector, they make it look at everything it knows three times in 64 MiB, and the kernel clear as much again: together more than
 *  the MD5 takes.
 *
 *  A buffer is lent once for each part of it that goes on; when all parts have come back it is gone, and who still held a view would find it
 *  empty. Parts that never come back are the collector's, as ever. */
const lent = new WeakMap<ArrayBufferLike, number>();

/** Smaller buffers are no load. */
const LENT_FROM_BYTES = 16 * 1024;

/** Lends a piece as these parts of it. Nobody else may use the piece, and a view on a part of a buffer is left alone. */
export function lendMemory(piece: Uint8Array, parts: number): void {
  const { buffer } = piece;
  if (piece.length >= LENT_FROM_BYTES && buffer.byteLength === piece.length && parts > 0) lent.set(buffer, parts);
}

/** True when the piece is all that is lent of its buffer: whoever asks has it now, and may give it to another thread. */
export function takeMemory(piece: Uint8Array): boolean {
  return lent.get(piece.buffer) === 1 && piece.length === piece.buffer.byteLength && lent.delete(piece.buffer);
}

/** Takes one part back. Memory that was not lent stays as it is. */
export function returnMemory(part: Uint8Array): void {
  const { buffer } = part;
  const left = lent.get(buffer);
  if (left === undefined) return;
  if (left > 1) lent.set(buffer, left - 1);
  else if (buffer instanceof ArrayBuffer) {
    lent.delete(buffer);
    buffer.transfer(0);
  }
}
