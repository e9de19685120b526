import { s3Error } from "../../../s3/errors.ts";
import type { MultipartUpload } from "../../../state/object-calls.ts";
import { allowedBucket, type Call } from "../../call.ts";
import { checkObjectKey } from "../../object-key.ts";
import { parameter } from "../../request.ts";

/** The upload that the call names, open or completed. An id that belongs to another key is unknown.
 *  @throws SluiceError S3 NoSuchUpload, NoSuchBucket */
export async function findUpload(call: Call, action: "object.write" | "object.read"): Promise<MultipartUpload> {
  const { request, deps } = call;
  checkObjectKey(request.key);
  await allowedBucket(call, action);
  const uploadId = parameter(request, "uploadId") ?? "";
  const upload = await deps.state.multipartUpload(request.bucket, request.key, uploadId);
  if (upload === null) throw noSuchUpload();
  return upload;
}

/** The upload, when parts can still be added. @throws SluiceError S3 NoSuchUpload, NoSuchBucket */
export async function findOpenUpload(call: Call): Promise<MultipartUpload> {
  const upload = await findUpload(call, "object.write");
  if (upload.completed !== null) throw noSuchUpload();
  return upload;
}

export function noSuchUpload(): Error {
  return s3Error("NoSuchUpload", "Cannot find the upload: it was completed, aborted, or never begun");
}
