import { SluiceError } from "../../../core/errors.ts";

export interface Frame {
  readonly stream: "out" | "err";
  readonly bytes: Buffer;
}

const HEADER_BYTES = 8;
const ERR = 2;

/** Takes an engine's frames apart: a byte for the stream (1 out, 2 err), three of nothing, the length as four bytes, most significant first. Bytes of a long
 *  frame come as they arrive. Nothing is read from the source while the consumer is busy. */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let head = Buffer.alloc(0);
  let left = 0;
  let stream: Frame["stream"] = "out";
  for await (const piece of source) {
    let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    while (rest.length > 0) {
      if (left === 0) {
        const missing = HEADER_BYTES - head.length;
        head = Buffer.concat([head, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (head.length < HEADER_BYTES) break;
        stream = head[0] === ERR ? "err" : "out";
        left = head.readUInt32BE(4);
        head = Buffer.alloc(0);
        continue;
      }
      const bytes = rest.subarray(0, left);
      left -= bytes.length;
      rest = rest.subarray(bytes.length);
      yield { stream, bytes };
    }
  }
  if (left > 0 || head.length > 0) {
    throw new SluiceError("SANDBOX_UNAVAILABLE", "Cannot read a container's output: the engine ended it in the middle");
  }
}
