import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from "node:crypto";
import { canonicalRequest, type SignedRequest } from "./canonical-request.ts";
import { s3Error } from "./errors.ts";
import { ALGORITHM, type PolicyClaim, parseTimestamp, type SignatureClaim } from "./signature-claim.ts";

/** How far the client's clock may be from ours, either way. @see RequestTimeTooSkewed in S3's list of errors */
const MAX_SKEW_MS = 15 * 60_000;

/** What signs the pieces of a body after the request itself: a chain that starts with the request's signature. */
export interface SigningContext {
  readonly key: KeyObject;
  readonly timestamp: string;
  readonly scope: string;
  readonly seedSignature: string;
}

/** Believes a claim or throws. Comparing takes the same time wherever the first difference is.
 *  @param now the server's clock, UTC ms
 *  @throws SluiceError S3 RequestTimeTooSkewed, AuthorizationHeaderMalformed, SignatureDoesNotMatch, AccessDenied for an address that expired */
export function verifySignature(
  claim: SignatureClaim,
  secretKey: string,
  request: SignedRequest,
  now: number,
): SigningContext {
  checkTime(claim, now);
  const context = signCanonical(claim, secretKey, canonicalRequest(request, claim.signedHeaders, claim.payloadHash));
  compareSignatures(context.seedSignature, claim.signature);
  return context;
}

/** Believes the claim of a form or throws. How long it is good is for its policy to say.
 *  @param policy as it stands in the form
 *  @throws SluiceError S3 InvalidArgument, SignatureDoesNotMatch */
export function verifyPolicySignature(claim: PolicyClaim, secretKey: string, policy: string): SigningContext {
  const { date, region, service, timestamp } = claim;
  if (!timestamp.startsWith(date)) {
    throw s3Error("InvalidArgument", "Cannot check the signature: X-Amz-Credential and X-Amz-Date name different days");
  }
  const key = signingKey(secretKey, date, region, service);
  const signature = hmacHex(key, policy);
  compareSignatures(signature, claim.signature);
  return { key, timestamp, scope: `${date}/${region}/${service}/aws4_request`, seedSignature: signature };
}

function compareSignatures(expected: string, claimed: string): void {
  if (sameHex(expected, claimed)) return;
  throw s3Error(
    "SignatureDoesNotMatch",
    "Cannot accept the request: its signature is not the one this secret key gives (check the secret key and the client's way of signing)",
  );
}

function checkTime(claim: SignatureClaim, now: number): void {
  if (!claim.timestamp.startsWith(claim.date)) {
    const code = claim.expiresSeconds === null ? "AuthorizationHeaderMalformed" : "AuthorizationQueryParametersError";
    throw s3Error(code, "Cannot check the signature: Credential and request name different days");
  }
  const at = parseTimestamp(claim.timestamp) ?? 0;
  if (claim.expiresSeconds !== null) {
    checkExpiry(at, claim.expiresSeconds, now);
    return;
  }
  if (Math.abs(now - at) <= MAX_SKEW_MS) return;
  const requestTime = new Date(at).toISOString();
  const serverTime = new Date(now).toISOString();
  throw s3Error(
    "RequestTimeTooSkewed",
    `Cannot accept the request: it was signed at ${requestTime} and the server's clock says ${serverTime}, more than 15 minutes apart (set the client's clock)`,
    { RequestTime: requestTime, ServerTime: serverTime, MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS) },
  );
}

/** A presigned address is valid from when it was signed, by a clock that may go before ours a little, to when it expires by our own. */
function checkExpiry(at: number, seconds: number, now: number): void {
  const serverTime = new Date(now).toISOString();
  if (at - now > MAX_SKEW_MS) {
    const signed = new Date(at).toISOString();
    throw s3Error(
      "AccessDenied",
      `Cannot accept the presigned address yet: it was signed for ${signed} and the server's clock says ${serverTime}`,
      { ServerTime: serverTime },
    );
  }
  if (now <= at + seconds * 1000) return;
  const expires = new Date(at + seconds * 1000).toISOString();
  throw s3Error(
    "AccessDenied",
    `Cannot accept the presigned address: it expired at ${expires} and the server's clock says ${serverTime}`,
    { "X-Amz-Expires": String(seconds), Expires: expires, ServerTime: serverTime },
  );
}

/** Signs a canonical request. */
export function signCanonical(
  claim: Pick<SignatureClaim, "date" | "region" | "service" | "timestamp">,
  secretKey: string,
  canonical: string,
): SigningContext {
  const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
  const digest = hash("sha256", Buffer.from(canonical, "latin1"), "hex");
  const key = signingKey(secretKey, claim.date, claim.region, claim.service);
  const seedSignature = hmacHex(key, `${ALGORITHM}\n${claim.timestamp}\n${scope}\n${digest}`);
  return { key, timestamp: claim.timestamp, scope, seedSignature };
}

export function hmacHex(key: KeyObject, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

/** Equality of two hex digests, in constant time for equal lengths. */
export function sameHex(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"));
}

/** Four HMACs give the same key all day, so the latest ones are kept. The name of an entry holds the secret: a changed secret is a new key. */
const keys = new Map<string, KeyObject>();
const MAX_KEYS = 256;

/** A KeyObject, as an HMAC with a bare buffer makes one each time, at ten times the cost of the HMAC itself. */
function signingKey(secretKey: string, date: string, region: string, service: string): KeyObject {
  const name = `${date}\n${region}\n${service}\n${secretKey}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  let bytes: Buffer = Buffer.from(`AWS4${secretKey}`, "utf8");
  for (const part of [date, region, service, "aws4_request"]) bytes = createHmac("sha256", bytes).update(part).digest();
  const key = createSecretKey(bytes);
  if (keys.size >= MAX_KEYS) keys.clear();
  keys.set(name, key);
  return key;
}
