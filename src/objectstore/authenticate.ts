import { s3Error } from "../s3/errors.ts";
import { readPayload } from "../s3/payload.ts";
import { verifySignature } from "../s3/signature.ts";
import { readClaim } from "../s3/signature-claim.ts";
import type { Caller, StoreDeps } from "./call.ts";
import type { S3Request } from "./request.ts";

/** Who signed the request. Nobody is let in without a signature. Nothing of the body is read yet.
 *  @throws SluiceError S3 InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, AccessDenied and what is wrong with the headers */
export async function authenticate(deps: StoreDeps, request: S3Request): Promise<Caller> {
  const claim = readClaim(request);
  const payload = readPayload(claim.payloadHash, request.headers);
  const holder = await deps.identity.accessKey(claim.accessKeyId);
  if (holder === null) throw s3Error("InvalidAccessKeyId", "Cannot accept the request: there is no such access key");
  const signing = verifySignature(claim, holder.secretKey, request, deps.clock.now());
  return { principal: holder.principal, lineage: null, payload, signing };
}
