import type { ObjectInfo } from "../../core/object.ts";
import { answerEmpty, answerXml } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { findObject, readVersionId } from "../find-object.ts";
import { versionHeaders } from "../object-headers.ts";
import { checkObjectKey } from "../object-key.ts";
import { MAX_OBJECT_TAGS, readTags, tagDocument } from "../tags.ts";
import { readXmlBody } from "../xml-body.ts";

export async function getObjectTagging(call: Call): Promise<void> {
  const object = await findObject(call, "object.read");
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
  return deps.state.setObjectTags(caller.principal, request.bucket, request.key, readVersionId(request), tags);
}

const headersOf = (object: ObjectInfo): string[] => versionHeaders(object).flat();
