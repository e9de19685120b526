import type { ObjectInfo } from "../../core/object.ts";
import { s3Error } from "../../s3/errors.ts";
import { answerEmpty, answerXml } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { versionHeaders } from "../object-headers.ts";
import { parameter } from "../request.ts";
import { MAX_OBJECT_TAGS, readTags, tagDocument } from "../tags.ts";
import { readXmlBody } from "../xml-body.ts";
import { checkObjectKey } from "./put-object.ts";

export async function getObjectTagging(call: Call): Promise<void> {
  const { deps, request } = call;
  checkObjectKey(request.key);
  await allowedBucket(call, "object.read");
  const versionId = parameter(request, "versionId") ?? null;
  const object = await deps.state.objectVersion(request.bucket, request.key, versionId);
  if (object === null) throw missing(request.key, versionId);
  if (object.isDeleteMarker) throw s3Error("MethodNotAllowed", "Cannot read tags: this version is a delete marker");
  answerXml(call.response, 200, tagDocument(object.tags), headersOf(object));
}

export async function putObjectTagging(call: Call): Promise<void> {
  checkObjectKey(call.request.key);
  await allowedBucket(call, "object.write");
  const tags = readTags(await readXmlBody(call, "Tagging"), MAX_OBJECT_TAGS);
  answerEmpty(call.response, 200, headersOf(await setTags(call, tags)));
}

export async function deleteObjectTagging(call: Call): Promise<void> {
  checkObjectKey(call.request.key);
  await allowedBucket(call, "object.write");
  answerEmpty(call.response, 204, headersOf(await setTags(call, {})));
}

function setTags({ deps, request, caller }: Call, tags: Readonly<Record<string, string>>): Promise<ObjectInfo> {
  const versionId = parameter(request, "versionId") ?? null;
  return deps.state.setObjectTags(caller.principal, request.bucket, request.key, versionId, tags);
}

const headersOf = (object: ObjectInfo): string[] => versionHeaders(object).flat();

function missing(key: string, versionId: string | null): Error {
  return versionId === null
    ? s3Error("NoSuchKey", "Cannot find the object: there is none under this key", { Key: key })
    : s3Error("NoSuchVersion", "Cannot find the object: it has no such version", { Key: key });
}
