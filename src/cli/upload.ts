import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import { patiently } from "./transfers.ts";
import type { PlannedUpload } from "./upload-plan.ts";

/** Sends the bytes under a key and resolves with the ETag of what was stored. */
export type SendBytes = (key: string, body: AsyncIterable<Uint8Array>, sizeBytes: number) => Promise<string>;

/** Uploads one file, and checks that the store has the bytes that were read here. A try whose answer was lost is made again, so the store may
 *  see a file twice.
 *  @throws SluiceError USAGE when the file shrank meanwhile, CHECKSUM_MISMATCH, and what `sendBytes` throws */
export async function uploadFile(
  file: PlannedUpload,
  sendBytes: SendBytes,
  onBytes: (count: number) => void,
  wait?: (ms: number) => Promise<unknown>,
): Promise<void> {
  await patiently(async () => {
    const hash = createHash("md5");
    let sent = 0;
    const body = exactly(file, (chunk) => {
      hash.update(chunk);
      sent += chunk.length;
      onBytes(chunk.length);
    });
    try {
      const etag = await sendBytes(file.key, body, file.sizeBytes);
      if (/^[0-9a-f]{32}$/.test(etag) && etag !== hash.digest("hex")) {
        throw new SluiceError(
          "CHECKSUM_MISMATCH",
          `Cannot put "${file.path}": the store has other bytes (run it again)`,
        );
      }
    } catch (error) {
      onBytes(-sent);
      throw error;
    }
  }, wait);
}

/** The size was promised before the first byte: what a growing file has more is left, a shrunken one is an error. */
async function* exactly(file: PlannedUpload, onChunk: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  if (file.sizeBytes === 0) return;
  let left = file.sizeBytes;
  for await (const chunk of createReadStream(file.path, { end: file.sizeBytes - 1 })) {
    left -= chunk.length;
    onChunk(chunk);
    yield chunk;
  }
  if (left > 0) {
    throw new SluiceError("USAGE", `Cannot put "${file.path}": it became ${left} bytes shorter while it was read`);
  }
}
