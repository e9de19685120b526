import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { MultipartCalls, UploadedPart } from "../client/s3-multipart.ts";
import { isSluiceError, SluiceError } from "../core/errors.ts";
import { patiently } from "./transfers.ts";
import type { PlannedUpload } from "./upload-plan.ts";

const MIB = 1024 * 1024;
/** Smaller files are sent whole: to send one of them again costs less than to ask what is there. */
export const IN_PARTS_FROM_BYTES = 64 * MIB;
const LEAST_PART_BYTES = 16 * MIB;
/** S3 allows 10,000. */
const MOST_PARTS = 9000;
const PARALLEL_PARTS = 4;

/** One object's calls: bucket and key are in them already. */
export interface PartSender {
  readonly open: () => Promise<string[]>;
  readonly create: () => Promise<string>;
  readonly parts: (uploadId: string) => Promise<UploadedPart[]>;
  readonly put: (
    uploadId: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    sizeBytes: number,
  ) => Promise<string>;
  readonly complete: (uploadId: string, parts: readonly UploadedPart[]) => Promise<string>;
}

export function partSender(calls: MultipartCalls, bucket: string, key: string, contentType: string): PartSender {
  return {
    open: () => calls.open(bucket, key),
    create: () => calls.create(bucket, key, contentType),
    parts: (uploadId) => calls.parts(bucket, key, uploadId),
    put: (uploadId, number, body, sizeBytes) => calls.put(bucket, key, uploadId, number, body, sizeBytes),
    complete: (uploadId, parts) => calls.complete(bucket, key, uploadId, parts),
  };
}

/** Bytes of every part but the last. It follows from the file's size alone, so that a later run cuts the file in the same way. */
export function partBytesOf(sizeBytes: number): number {
  return Math.max(LEAST_PART_BYTES, Math.ceil(sizeBytes / MOST_PARTS / MIB) * MIB);
}

/** Uploads one large file in parts, four at a time. What an earlier run sent and the store still has is compared by MD5 with the file as it is
 *  now, and not sent again.
 *  @throws SluiceError USAGE when the file changed meanwhile, CHECKSUM_MISMATCH, and what the calls throw: the parts stay for the next run */
export async function uploadInParts(
  file: PlannedUpload,
  sender: PartSender,
  onBytes: (count: number) => void,
  wait?: (ms: number) => Promise<unknown>,
): Promise<void> {
  const before = await stat(file.path);
  const { uploadId, known } = await findOrCreate(sender, wait);
  const numbers = Array.from(
    { length: Math.ceil(file.sizeBytes / partBytesOf(file.sizeBytes)) },
    (_, index) => index + 1,
  );
  const sent = new Map<number, UploadedPart>();
  const queue = numbers.values();
  const carry = async (): Promise<void> => {
    for (const number of queue)
      sent.set(number, await onePart(file, sender, uploadId, number, known.get(number), onBytes, wait));
  };
  await Promise.all(Array.from({ length: PARALLEL_PARTS }, carry));
  const after = await stat(file.path);
  if (after.mtimeMs !== before.mtimeMs || after.size !== before.size) {
    throw new SluiceError("USAGE", `Cannot put "${file.path}": it changed while it was read (run it again)`);
  }
  const parts = numbers.flatMap((number) => sent.get(number) ?? []);
  const etag = await patiently(() => sender.complete(uploadId, parts), wait);
  if (/^[0-9a-f]{32}-\d+$/.test(etag) && etag !== joinedEtag(parts)) throw otherBytes(file);
}

/** The newest open upload that has parts, or else a new one. */
async function findOrCreate(
  sender: PartSender,
  wait: ((ms: number) => Promise<unknown>) | undefined,
): Promise<{ uploadId: string; known: ReadonlyMap<number, UploadedPart> }> {
  for (const uploadId of (await patiently(() => sender.open(), wait)).toReversed()) {
    const parts = await patiently(() => sender.parts(uploadId), wait).catch(noSuchUpload);
    if (parts.length > 0) return { uploadId, known: new Map(parts.map((part) => [part.number, part])) };
  }
  return { uploadId: await patiently(() => sender.create(), wait), known: new Map() };
}

/** Somebody completed or aborted it between the two calls. */
function noSuchUpload(error: unknown): UploadedPart[] {
  if (isSluiceError(error, "UPLOAD_UNKNOWN")) return [];
  throw error;
}

async function onePart(
  file: PlannedUpload,
  sender: PartSender,
  uploadId: string,
  number: number,
  known: UploadedPart | undefined,
  onBytes: (count: number) => void,
  wait: ((ms: number) => Promise<unknown>) | undefined,
): Promise<UploadedPart> {
  const partBytes = partBytesOf(file.sizeBytes);
  const start = (number - 1) * partBytes;
  const sizeBytes = Math.min(partBytes, file.sizeBytes - start);
  if (known?.sizeBytes === sizeBytes && known.etag === (await md5Of(file, start, sizeBytes))) {
    onBytes(sizeBytes);
    return known;
  }
  const etag = await patiently(async () => {
    const hash = createHash("md5");
    let count = 0;
    const body = bytesOf(file, start, sizeBytes, (chunk) => {
      hash.update(chunk);
      count += chunk.length;
      onBytes(chunk.length);
    });
    try {
      const answered = await sender.put(uploadId, number, body, sizeBytes);
      if (answered !== hash.digest("hex")) throw otherBytes(file);
      return answered;
    } catch (error) {
      onBytes(-count);
      throw error;
    }
  }, wait);
  return { number, sizeBytes, etag };
}

async function md5Of(file: PlannedUpload, start: number, sizeBytes: number): Promise<string> {
  const hash = createHash("md5");
  for await (const _ of bytesOf(file, start, sizeBytes, (chunk) => hash.update(chunk)));
  return hash.digest("hex");
}

async function* bytesOf(
  file: PlannedUpload,
  start: number,
  sizeBytes: number,
  onChunk: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  let left = sizeBytes;
  for await (const chunk of createReadStream(file.path, {
    start,
    end: start + sizeBytes - 1,
    highWaterMark: 256 * 1024,
  })) {
    left -= chunk.length;
    onChunk(chunk);
    yield chunk;
  }
  if (left > 0)
    throw new SluiceError("USAGE", `Cannot put "${file.path}": it became shorter while it was read (run it again)`);
}

function joinedEtag(parts: readonly UploadedPart[]): string {
  const hash = createHash("md5");
  for (const { etag } of parts) hash.update(etag, "hex");
  return `${hash.digest("hex")}-${parts.length}`;
}

function otherBytes(file: PlannedUpload): SluiceError {
  return new SluiceError("CHECKSUM_MISMATCH", `Cannot put "${file.path}": the store has other bytes (run it again)`);
}
