import { type HeaderTable, header, type SignedRequest } from "./canonical-request.ts";
import { s3Error } from "./errors.ts";

/** What a request says about its own signature, read but not yet believed. */
export interface SignatureClaim {
  readonly accessKeyId: string;
  /** `YYYYMMDD`, region and service of the credential's scope. Any region is accepted. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** 64 hex digits. */
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly timestamp: string;
  /** The last line of the canonical request: a SHA-256 in hex, or the name of a way to send the body. */
  readonly payloadHash: string;
}

export const ALGORITHM = "AWS4-HMAC-SHA256";

/** Where a request carries its signature. `query` is a presigned address. */
type SignatureForm = "header" | "query" | "none";

/** Tells the forms apart without reading them. */
function signatureForm(request: SignedRequest): SignatureForm {
  if (request.headers.has("authorization")) return "header";
  return request.query.some(([name]) => name === "X-Amz-Signature" || name === "X-Amz-Algorithm") ? "query" : "none";
}

/** Reads the claim in whichever form it comes; a new form is a case here.
 *  @throws SluiceError S3 AccessDenied without a signature, NotImplemented for a presigned address, AuthorizationHeaderMalformed,
 *  InvalidRequest */
export function readClaim(request: SignedRequest): SignatureClaim {
  switch (signatureForm(request)) {
    case "header":
      return readHeaderClaim(request.headers);
    case "query":
      throw s3Error(
        "NotImplemented",
        "Cannot accept a presigned address: sign the request in its Authorization header",
      );
    case "none":
      throw s3Error("AccessDenied", "Cannot answer an anonymous request: sign it with an access key");
  }
}

function readHeaderClaim(headers: HeaderTable): SignatureClaim {
  const authorization = header(headers, "authorization") ?? "";
  if (!authorization.startsWith(`${ALGORITHM} `)) {
    throw s3Error("InvalidRequest", `Cannot use this authorization: only ${ALGORITHM} is supported`);
  }
  const parts = authorizationParts(authorization.slice(ALGORITHM.length + 1));
  const signature = parts.Signature ?? "";
  if (!/^[0-9a-f]{64}$/.test(signature)) throw malformed("Signature is not 64 hex digits");
  const payloadHash = header(headers, "x-amz-content-sha256");
  if (payloadHash === undefined) {
    throw s3Error("InvalidRequest", "Cannot check the signature: the header x-amz-content-sha256 is missing");
  }
  return {
    ...readCredential(parts.Credential ?? ""),
    signedHeaders: readSignedHeaders(parts.SignedHeaders ?? "", headers),
    signature,
    timestamp: readTimestamp(headers),
    payloadHash,
  };
}

function authorizationParts(text: string): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    if (equals > 0) parts[part.slice(0, equals).trim()] = part.slice(equals + 1).trim();
  }
  return parts;
}

/** `<access key>/<date>/<region>/<service>/aws4_request`; the key itself may hold slashes. */
function readCredential(text: string): Pick<SignatureClaim, "accessKeyId" | "date" | "region" | "service"> {
  const parts = text.split("/");
  const [date = "", region = "", service = "", terminator = ""] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join("/");
  if (accessKeyId === "" || terminator !== "aws4_request" || !/^\d{8}$/.test(date)) {
    throw malformed("Credential is not <access key>/<date>/<region>/s3/aws4_request");
  }
  if (service !== "s3") throw malformed(`Credential is for the service "${service}", not "s3"`);
  return { accessKeyId, date, region, service };
}

/** `host` and every x-amz-* header must be covered: what is not signed could have been changed on the way. */
function readSignedHeaders(text: string, headers: HeaderTable): string[] {
  const names = text.split(";");
  if (!names.includes("host")) throw malformed('SignedHeaders does not hold "host"');
  for (const name of headers.keys()) {
    if (name.startsWith("x-amz-") && !names.includes(name)) {
      throw s3Error("AccessDenied", `Cannot accept the request: its header ${name} is not signed`);
    }
  }
  return names;
}

function readTimestamp(headers: HeaderTable): string {
  const amzDate = header(headers, "x-amz-date");
  if (amzDate !== undefined) {
    if (parseTimestamp(amzDate) === null) throw malformed("x-amz-date is not YYYYMMDDTHHMMSSZ");
    return amzDate;
  }
  const date = Date.parse(header(headers, "date") ?? "");
  if (Number.isNaN(date)) {
    throw s3Error("AccessDenied", "Cannot check the signature: the request has no valid x-amz-date or Date header");
  }
  return formatTimestamp(date);
}

/** UTC ms of `YYYYMMDDTHHMMSSZ`, or null. */
export function parseTimestamp(text: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

export function formatTimestamp(at: number): string {
  return new Date(at)
    .toISOString()
    .replace(/\.\d{3}/, "")
    .replace(/[-:]/g, "");
}

function malformed(what: string): Error {
  return s3Error("AuthorizationHeaderMalformed", `Cannot read the Authorization header: ${what}`);
}
