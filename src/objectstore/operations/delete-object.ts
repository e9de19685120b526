import { crashPoint } from "../../lib/crash-point.ts";
import { header } from "../../s3/canonical-request.ts";
import { s3Error } from "../../s3/errors.ts";
import type { DeletedObject } from "../../state/object-calls.ts";
import { answerEmpty } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { readVersionId } from "../find-object.ts";
import { checkObjectKey } from "../object-key.ts";

/** Deleting what is not there is a success, as in S3. The blob's file is removed later, by the sweep. */
export async function deleteObject(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  const { key } = request;
  checkObjectKey(key);
  const versionId = readVersionId(request);
  const ifMatch = header(request.headers, "if-match");
  await allowedBucket(call, "object.write");
  const target = {
    key,
    ...(versionId === null ? {} : { versionId }),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  };
  const [deleted] = await deps.state.deleteObjects(caller.principal, request.bucket, [target], deps.clock.now());
  crashPoint("delete.committed");
  if (deleted?.refused === true) {
    throw s3Error("PreconditionFailed", "Cannot delete the object: it is not the one that If-Match names");
  }
  answerEmpty(call.response, 204, deleted === undefined ? [] : deletedHeaders(deleted));
}

/** What became of the key: a marker was made, or one was removed, or a version. */
function deletedHeaders({ versionId, deleteMarker }: DeletedObject): string[] {
  const named = versionId ?? deleteMarker;
  return [
    ...(deleteMarker === null ? [] : ["x-amz-delete-marker", "true"]),
    ...(named === null ? [] : ["x-amz-version-id", named]),
  ];
}
