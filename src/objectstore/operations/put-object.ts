import type { ObjectInfo, StagedBlob } from "../../core/object.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import { type HeaderTable, header } from "../../s3/canonical-request.ts";
import { s3Error } from "../../s3/errors.ts";
import type { Upload } from "../../state/state.ts";
import { answerEmpty } from "../answer.ts";
import { badMd5, openBody, type VerifiedBody } from "../body.ts";
import { allowedBucket, type Call } from "../call.ts";
import { commitStaged } from "../commit-staged.ts";
import { checksumHeaders, type ObjectHeaders, readObjectHeaders, versionHeaders } from "../object-headers.ts";
import { checkObjectKey } from "../object-key.ts";
import { contentLength } from "../request.ts";

/** Order: everything that can be refused without the body, then the body becomes a durable blob, then ONE transaction makes it an object, an
 *  event and jobs, and only then comes the 200. What fails after staging leaves no blob. */
export async function putObject(call: Call): Promise<void> {
  const { request } = call;
  checkObjectKey(request.key);
  checkLength(call);
  const headers = readObjectHeaders(request.headers);
  const body = openBody(call);
  const object = await storeObject(call, headers, body, body.expectedBytes ?? 0);
  answerEmpty(call.response, 200, storedHeaders(object));
}

/** The part behind the checks, for every way in which a new object's bytes arrive.
 *  @param roomBytes asked of the disk before the first byte is taken */
export async function storeObject(
  call: Call,
  headers: ObjectHeaders,
  body: VerifiedBody,
  roomBytes: number,
): Promise<ObjectInfo> {
  await allowedBucket(call, "object.write");
  const blob = await call.deps.blobs.stage(body.pieces, roomBytes);
  crashPoint("put.blob-staged");
  const { object } = await commitStaged(call.deps, blob, async () => {
    if (body.md5 !== null && body.md5 !== blob.md5) throw badMd5();
    return call.deps.state.commitUpload(uploadOf(call, headers, body, blob));
  });
  crashPoint("put.committed");
  return object;
}

export function storedHeaders(object: ObjectInfo): string[] {
  return ["ETag", `"${object.etag}"`, ...versionHeaders(object).flat(), ...checksumHeaders(object.checksums)];
}

function uploadOf(
  { deps, request, caller }: Call,
  headers: ObjectHeaders,
  body: VerifiedBody,
  blob: StagedBlob,
): Upload {
  return {
    by: caller.principal,
    bucket: request.bucket,
    key: request.key,
    blob,
    ...headers,
    checksums: body.checksums(),
    condition: writeCondition(request.headers),
    lineage: caller.lineage,
    at: deps.clock.now(),
  };
}

export function writeCondition(headers: HeaderTable): Upload["condition"] {
  const ifMatch = header(headers, "if-match");
  const ifNoneMatch = header(headers, "if-none-match");
  if (ifMatch === undefined && ifNoneMatch === undefined) return null;
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
  };
}

function checkLength({ request }: Call): void {
  if (contentLength(request) === null && !request.headers.has("transfer-encoding")) {
    throw s3Error("MissingContentLength", "Cannot store the object: the request has no Content-Length");
  }
}
