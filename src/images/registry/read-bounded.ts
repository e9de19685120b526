import type { Readable } from "node:stream";
import { SluiceError } from "../../core/errors.ts";

/** All of a short answer. @throws SluiceError EGRESS_FAILED when it is longer, or ends early */
export async function readBounded(body: Readable, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > maxBytes) throw new SluiceError("EGRESS_FAILED", `its answer has more than ${maxBytes} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("EGRESS_FAILED", "its answer ends in the middle", { cause: error });
  } finally {
    body.destroy();
  }
  return Buffer.concat(pieces);
}
