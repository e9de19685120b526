import { answerEmpty } from "../../answer.ts";
import type { Call } from "../../call.ts";
import { findOpenUpload, noSuchUpload } from "./open-upload.ts";

/** AbortMultipartUpload: rows first, then what no row names. */
export async function abortMultipartUpload(call: Call): Promise<void> {
  const { deps, request } = call;
  const { uploadId } = await findOpenUpload(call);
  if (!(await deps.state.abortUpload(request.bucket, request.key, uploadId))) throw noSuchUpload();
  await deps.parts.forget(uploadId);
  answerEmpty(call.response, 204);
}
