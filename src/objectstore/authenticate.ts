import { randomBytes } from "node:crypto";
import { header } from "../s3/canonical-request.ts";
import { s3Error, toS3Failure } from "../s3/errors.ts";
import { type FormUpload, formBoundary, readForm } from "../s3/form-data.ts";
import { readPayload } from "../s3/payload.ts";
import { withParameters } from "../s3/presigned-headers.ts";
import { type SigningContext, verifyPolicySignature, verifySignature } from "../s3/signature.ts";
import { readClaim, readFormClaim } from "../s3/signature-claim.ts";
import { arrivingBody } from "./body.ts";
import type { Call, Caller, Exchange, StoreDeps } from "./call.ts";
import { isHostStyle, type S3Request } from "./request.ts";

/** The request with who signed it. Nobody is let in without a signature. Nothing of the body is read yet, but for the fields of a form.
 *  @throws SluiceError S3 InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, AccessDenied and what is wrong with the headers */
export async function authenticate(exchange: Exchange): Promise<Call> {
  const { deps, request } = exchange;
  const boundary = boundaryOf(request);
  if (boundary !== null) return { ...exchange, caller: await authenticateForm(exchange, boundary) };
  const claim = readClaim(request);
  const payload = readPayload(claim.payloadHash, request.headers);
  const holder = await holderOf(deps, claim.accessKeyId, (secretKey) =>
    verifySignature(claim, secretKey, request, deps.clock.now()),
  );
  const caller: Caller = { ...holder, lineage: null, payload, form: null };
  if (claim.expiresSeconds === null) return { ...exchange, caller };
  sandboxPages(exchange);
  return { ...exchange, request: { ...request, headers: withParameters(request.headers, request.query) }, caller };
}

/** A browser that opens a presigned address shows whatever somebody uploaded, on the host that the API has too, and cookies know no ports. So such
 *  pages run no scripts, unless the bucket has a host name of its own (decision 20). */
function sandboxPages({ request, response }: Exchange): void {
  if (!isHostStyle(request)) response.setHeader("Content-Security-Policy", "sandbox");
}

/** A form is signed in its fields; the query would name another call. */
function boundaryOf(request: S3Request): string | null {
  const maybe = request.method === "POST" && request.key === "" && request.query.length === 0;
  return maybe && !request.headers.has("authorization") ? formBoundary(header(request.headers, "content-type")) : null;
}

async function authenticateForm({ deps, request, response }: Exchange, boundary: string): Promise<Caller> {
  const form = await readForm(arrivingBody(request.message, response), boundary);
  try {
    const holder = await holderOfForm(deps, form);
    return { ...holder, lineage: null, payload: { kind: "unsigned" }, form };
  } catch (error) {
    await form.close();
    throw error;
  }
}

async function holderOfForm(deps: StoreDeps, { fields }: FormUpload): Promise<Pick<Caller, "principal" | "signing">> {
  const policy = fields.get("policy");
  if (policy === undefined) {
    throw s3Error(
      "AccessDenied",
      "Cannot take the form: it is not signed (its fields must hold a policy and a signature)",
    );
  }
  const claim = readFormClaim(fields);
  return holderOf(deps, claim.accessKeyId, (secretKey) => verifyPolicySignature(claim, secretKey, policy));
}

/** Whoever asks with a key that does not exist waits as long as one who has the wrong secret, and is told as much. */
const NOBODYS_SECRET = randomBytes(30).toString("base64");

async function holderOf(
  deps: StoreDeps,
  accessKeyId: string,
  verify: (secretKey: string) => SigningContext,
): Promise<Pick<Caller, "principal" | "signing">> {
  const holder = await deps.identity.accessKey(accessKeyId);
  if (holder !== null) return { signing: verify(holder.secretKey), principal: holder.principal };
  try {
    verify(NOBODYS_SECRET);
  } catch (error) {
    if (toS3Failure(error).code !== "SignatureDoesNotMatch") throw error;
  }
  throw s3Error("InvalidAccessKeyId", "Cannot accept the request: there is no such access key");
}
