import type { ServerResponse } from "node:http";
import { isSluiceError, SluiceError } from "../../core/errors.ts";
import { BLOCK_BYTES, type StoredObject } from "../../core/object.ts";
import { header } from "../../s3/canonical-request.ts";
import { s3Error } from "../../s3/errors.ts";
import { answerEmpty } from "../answer.ts";
import type { Call } from "../call.ts";
import { checkConditions, rangeStillHolds } from "../conditions.ts";
import { findObject } from "../find-object.ts";
import { objectHeaders } from "../object-headers.ts";
import { type ByteRange, readRange } from "../ranges.ts";
import { parameter, type S3Request } from "../request.ts";

/** GET and HEAD. A blob may be unlinked between the look at its row and the open, when the object is replaced or deleted at that moment: the
 *  row is read once more then, and says what is there now. A file that is open stays readable after its unlink. */
export async function getObject(call: Call): Promise<void> {
  const object = await findObject(call, "object.read");
  try {
    await answerObject(call, object);
  } catch (error) {
    if (!isSluiceError(error, "OBJECT_UNKNOWN") || call.response.headersSent) throw error;
    const now = await findObject(call, "object.read");
    if (now.blob.blobId === object.blob.blobId) throw lost(object);
    await answerObject(call, now);
  }
}

function lost(object: StoredObject): SluiceError {
  return new SluiceError("DATA_CORRUPT", `Cannot read the object: the file of blob ${object.blob.blobId} is missing`);
}

async function answerObject(call: Call, object: StoredObject): Promise<void> {
  const { request, response } = call;
  const condition = checkConditions(object, request.headers);
  if (condition === "failed") {
    throw s3Error(
      "PreconditionFailed",
      "Cannot read the object: it is not in the state that the request's condition asks for",
    );
  }
  if (condition === "not-modified") {
    answerEmpty(response, 304, [
      "ETag",
      `"${object.etag}"`,
      "Last-Modified",
      new Date(object.lastModified).toUTCString(),
    ]);
    return;
  }
  const range = partRange(request, object) ?? askedRange(request, object);
  const head = answerHead(request, object, range);
  if (request.method === "HEAD") {
    response.writeHead(range === null ? 200 : 206, head);
    response.end();
  } else if (object.sizeBytes <= BLOCK_BYTES) await sendSmall(call, object, range, head);
  else await sendStream(call, object, range, head);
}

function askedRange(request: S3Request, object: StoredObject): ByteRange | null {
  if (!rangeStillHolds(object, request.headers)) return null;
  return readRange(header(request.headers, "range"), object.sizeBytes);
}

/** The bytes of one part of an object that came in parts; any other object is its own first part.
 *  @throws SluiceError S3 InvalidPartNumber, InvalidRequest */
function partRange(request: S3Request, { parts, sizeBytes }: StoredObject): ByteRange | null {
  const text = parameter(request, "partNumber");
  if (text === undefined) return null;
  if (request.headers.has("range")) throw s3Error("InvalidRequest", "Cannot answer a Range and a partNumber at once");
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  const part = parts === null ? { sizeBytes } : parts[number - 1];
  if (part === undefined || number < 1 || (parts === null && number > 1)) {
    throw s3Error("InvalidPartNumber", "Cannot read the part: the object has none of this number", {
      ActualPartCount: String(parts?.length ?? 1),
    });
  }
  if (part.sizeBytes === 0) return null;
  const start = (parts ?? []).slice(0, number - 1).reduce((sum, each) => sum + each.sizeBytes, 0);
  return { start, endExclusive: start + part.sizeBytes };
}

function answerHead(request: S3Request, object: StoredObject, range: ByteRange | null): string[] {
  // A checksum is of the whole object: with a part of it a client would compare the wrong bytes.
  const whole = range === null || (range.start === 0 && range.endExclusive === object.sizeBytes);
  const withChecksums = whole && header(request.headers, "x-amz-checksum-mode")?.toUpperCase() === "ENABLED";
  const head = overridden(request, objectHeaders(object, withChecksums));
  if (range === null) head.push("Content-Length", String(object.sizeBytes));
  else {
    head.push("Content-Length", String(range.endExclusive - range.start));
    if (object.parts !== null) head.push(...partCount(request, object.parts.length));
    head.push("Content-Range", `bytes ${range.start}-${range.endExclusive - 1}/${object.sizeBytes}`);
  }
  return head;
}

function partCount(request: S3Request, count: number): string[] {
  return parameter(request, "partNumber") === undefined ? [] : ["x-amz-mp-parts-count", String(count)];
}

/** Parameters that replace a header of the answer. @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
const OVERRIDES: Readonly<Record<string, string>> = {
  "response-cache-control": "cache-control",
  "response-content-disposition": "content-disposition",
  "response-content-encoding": "content-encoding",
  "response-content-language": "content-language",
  "response-content-type": "content-type",
  "response-expires": "expires",
};

function overridden(request: S3Request, head: string[]): string[] {
  if (request.query.length === 0) return head;
  for (const parameterName of Object.keys(OVERRIDES)) {
    const value = parameter(request, parameterName);
    if (value === undefined) continue;
    if (/[^\x20-\x7e]/.test(value))
      throw s3Error("InvalidArgument", `Cannot use ${parameterName}: it is not printable ASCII`);
    const name = OVERRIDES[parameterName] ?? "";
    const at = head.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
    if (at < 0) head.push(name, value);
    else head[at + 1] = value;
  }
  return head;
}

async function sendSmall(call: Call, object: StoredObject, range: ByteRange | null, head: string[]): Promise<void> {
  const bytes = await call.deps.blobs.readSmall(object);
  call.response.writeHead(range === null ? 200 : 206, head);
  call.response.end(range === null ? bytes : bytes.subarray(range.start, range.endExclusive));
}

/** The first block is read before the status is sent, so that a missing or damaged file is still an error answer; after that damage can only
 *  cut the answer off, which the client sees because bytes are missing. */
async function sendStream(call: Call, object: StoredObject, range: ByteRange | null, head: string[]): Promise<void> {
  const { start, endExclusive } = range ?? { start: 0, endExclusive: object.sizeBytes };
  try {
    await call.deps.blobs.pour(object, start, endExclusive, (part) => {
      if (!call.response.headersSent) call.response.writeHead(range === null ? 200 : 206, head);
      return written(call.response, part);
    });
  } catch (error) {
    if (!(error instanceof ClientGone)) throw error;
  }
  call.response.end();
}

/** Nobody is there to be told. */
class ClientGone extends Error {}

/** Resolves when the system has the bytes. The closing is listened for, as Node forgets a write on a connection that is just ending.
 *  @throws ClientGone */
function written(response: ServerResponse, part: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new ClientGone());
    response.once("close", gone);
    response.write(part, (error) => {
      response.off("close", gone);
      if (error) gone();
      else resolve();
    });
  });
}
