import { isSluiceError, type SluiceError } from "../../core/errors.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import { s3Error, toS3Failure } from "../../s3/errors.ts";
import { childrenNamed, childText, type XmlElement } from "../../s3/xml-element.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import type { DeletedObject, DeleteTarget } from "../../state/object-calls.ts";
import { answerXml } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { checkObjectKey } from "../object-key.ts";
import { readXmlBody } from "../xml-body.ts";

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const MAX_TARGETS = 1000;
/** A thousand keys of 1,024 bytes, each byte written as a reference. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** DeleteObjects: one transaction for all keys that can be deleted, and an entry for each that cannot. */
export async function deleteObjects(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  await allowedBucket(call, "object.write");
  const root = await readXmlBody(call, "Delete", MAX_BODY_BYTES);
  const targets = childrenNamed(root, "Object").map(readTarget);
  if (targets.length === 0 || targets.length > MAX_TARGETS) {
    throw s3Error("MalformedXML", `Cannot delete: the body names ${targets.length} objects, not 1 to ${MAX_TARGETS}`);
  }
  const quiet = childText(root, "Quiet")?.trim().toLowerCase() === "true";
  const invalid = targets.map(keyFailure);
  const sound = targets.filter((_target, index) => invalid[index] === null);
  const deleted =
    sound.length === 0 ? [] : await deps.state.deleteObjects(caller.principal, request.bucket, sound, deps.clock.now());
  crashPoint("delete.committed");
  const done = deleted.values();
  const entries = targets.map((target, index) => {
    const failure = invalid[index] ?? null;
    if (failure !== null) return failureEntry(target, failure);
    return entryOf(target, done.next().value, quiet);
  });
  answerXml(call.response, 200, xmlDocument("DeleteResult", entries));
}

function readTarget(object: XmlElement): DeleteTarget {
  const versionId = childText(object, "VersionId");
  const ifMatch = childText(object, "ETag");
  return {
    key: childText(object, "Key") ?? "",
    ...(versionId === undefined || versionId === "" ? {} : { versionId }),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  };
}

function keyFailure({ key }: DeleteTarget): SluiceError | null {
  try {
    checkObjectKey(key);
    return null;
  } catch (error) {
    if (isSluiceError(error)) return error;
    throw error;
  }
}

function entryOf(target: DeleteTarget, deleted: DeletedObject | undefined, quiet: boolean): string {
  if (deleted?.refused === true) {
    return failureEntry(
      target,
      s3Error("PreconditionFailed", "Cannot delete the object: it is not the one that ETag names"),
    );
  }
  if (quiet) return "";
  const marker = deleted?.deleteMarker ?? null;
  return element("Deleted", [
    element("Key", target.key),
    ...(target.versionId === undefined ? [] : [element("VersionId", target.versionId)]),
    ...(marker === null ? [] : [element("DeleteMarker", true), element("DeleteMarkerVersionId", marker)]),
  ]);
}

function failureEntry(target: DeleteTarget, error: SluiceError): string {
  const { code, message } = toS3Failure(error);
  return element("Error", [
    element("Key", target.key),
    ...(target.versionId === undefined ? [] : [element("VersionId", target.versionId)]),
    element("Code", code),
    element("Message", message),
  ]);
}
