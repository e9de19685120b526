import { crashPoint } from "../../lib/crash-point.ts";
import { answerEmpty } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { checkObjectKey } from "./put-object.ts";

/** Deleting what is not there is a success, as in S3. The blob's file is removed later, by the sweep. */
export async function deleteObject(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  checkObjectKey(request.key);
  await allowedBucket(call, "object.write");
  await deps.state.deleteObjects(caller.principal, request.bucket, [{ key: request.key }], deps.clock.now());
  crashPoint("delete.committed");
  answerEmpty(call.response, 204);
}
