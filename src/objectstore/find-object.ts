import type { StoredObject } from "../core/object.ts";
import { s3Error } from "../s3/errors.ts";
import type { DeleteMarker } from "../state/object-calls.ts";
import { allowedBucket, type Call } from "./call.ts";
import { checkObjectKey } from "./object-key.ts";
import { parameter, type S3Request } from "./request.ts";

/** The version that the call names, or the latest of its key, when the caller may do that with it. A delete marker is answered as S3 does: asked
 *  for by its id it is the wrong kind of thing, as the latest version it means that there is none; headers say which.
 *  @throws SluiceError S3 NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed, InvalidArgument, KeyTooLongError */
export async function findObject(call: Call, action: "object.read" | "object.write"): Promise<StoredObject> {
  const { deps, request } = call;
  checkObjectKey(request.key);
  await allowedBucket(call, action);
  const versionId = readVersionId(request);
  const object = await deps.state.objectVersion(request.bucket, request.key, versionId);
  if (object === null) throw noSuchObject(request.key, versionId);
  if (object.blob === null) throw deleted(call, object, versionId);
  return object;
}

/** The `versionId` parameter; null for the latest. @throws SluiceError S3 InvalidArgument when it is empty */
export function readVersionId(request: S3Request): string | null {
  const versionId = parameter(request, "versionId") ?? null;
  if (versionId === "") throw s3Error("InvalidArgument", "Cannot use this versionId: it is empty");
  return versionId;
}

export function noSuchObject(key: string, versionId: string | null): Error {
  return versionId === null
    ? s3Error("NoSuchKey", "Cannot find the object: there is none under this key", { Key: key })
    : s3Error("NoSuchVersion", "Cannot find the object: it has no such version", { Key: key, VersionId: versionId });
}

function deleted({ response }: Call, marker: DeleteMarker, versionId: string | null): Error {
  response.setHeader("x-amz-delete-marker", "true");
  if (marker.versionId !== "null") response.setHeader("x-amz-version-id", marker.versionId);
  if (versionId === null) return noSuchObject(marker.key, null);
  response.setHeader("Last-Modified", new Date(marker.lastModified).toUTCString());
  return s3Error("MethodNotAllowed", "Cannot use this version: it is a delete marker", {
    ResourceType: "DeleteMarker",
  });
}
