import { crashPoint } from "../../../lib/crash-point.ts";
import { CHECKSUM_PREFIX } from "../../../s3/checksums.ts";
import { s3Error } from "../../../s3/errors.ts";
import type { MultipartUpload } from "../../../state/object-calls.ts";
import { answerEmpty } from "../../answer.ts";
import { badMd5, openBody, type VerifiedBody } from "../../body.ts";
import type { Call } from "../../call.ts";
import { MAX_PARTS } from "../../multipart/file-parts.ts";
import type { StagedPart } from "../../multipart/part-store.ts";
import { contentLength, parameter, type S3Request } from "../../request.ts";
import { findOpenUpload } from "./open-upload.ts";

/** S3's largest part. */
const MAX_PART_BYTES = 5 * 1024 ** 3;

/** UploadPart: the bytes become durable, then the part gets its row, then the client its 200. */
export async function uploadPart(call: Call): Promise<void> {
  const { request } = call;
  const number = readPartNumber(request);
  if (contentLength(request) === null && !request.headers.has("transfer-encoding")) {
    throw s3Error("MissingContentLength", "Cannot store the part: the request has no Content-Length");
  }
  const upload = await findOpenUpload(call);
  const body = openBody(call, upload.checksum?.algorithm ?? null);
  checkPartSize(body.expectedBytes ?? 0);
  const part = await storePart(call, upload, number, body);
  crashPoint("part.committed");
  answerEmpty(call.response, 200, ["ETag", `"${part.md5}"`, ...partChecksumHeaders(body.checksums())]);
}

async function storePart(call: Call, upload: MultipartUpload, number: number, body: VerifiedBody): Promise<StagedPart> {
  const { deps } = call;
  return deps.parts.addPart(upload, number, body.pieces, body.expectedBytes, async (part) => {
    crashPoint("part.staged");
    if (body.md5 !== null && body.md5 !== part.md5) throw badMd5();
    checkPartSize(part.sizeBytes);
    const checksums = checkAlgorithm(upload, body.checksums());
    await deps.state.putPart(upload.uploadId, { number, ...part, checksums, at: deps.clock.now() });
    return part;
  });
}

/** @throws SluiceError S3 InvalidArgument */
export function readPartNumber(request: S3Request): number {
  const text = parameter(request, "partNumber") ?? "";
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MAX_PARTS) {
    throw s3Error("InvalidArgument", `Cannot use this partNumber: it is not a number from 1 to ${MAX_PARTS}`);
  }
  return number;
}

/** @throws SluiceError S3 EntityTooLarge */
export function checkPartSize(sizeBytes: number): void {
  if (sizeBytes > MAX_PART_BYTES) {
    throw s3Error("EntityTooLarge", `Cannot store the part: at most ${MAX_PART_BYTES} bytes are allowed`);
  }
}

/** A part that is vouched for in another way than announced could not be counted in at the end. */
function checkAlgorithm(
  { checksum }: MultipartUpload,
  sent: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (checksum !== null && Object.keys(sent).some((name) => name !== checksum.algorithm)) {
    throw s3Error("InvalidRequest", `Cannot use this checksum: the upload was begun with ${checksum.algorithm}`);
  }
  return sent;
}

export function partChecksumHeaders(checksums: Readonly<Record<string, string>>): string[] {
  return Object.entries(checksums).flatMap(([name, value]) => [CHECKSUM_PREFIX + name, value]);
}
