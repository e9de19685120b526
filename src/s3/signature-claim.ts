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
  /** How long a presigned address is valid from its timestamp on; null for a signature that is valid for a moment. */
  readonly expiresSeconds: number | null;
}

export const ALGORITHM = "AWS4-HMAC-SHA256";

/** Where a request carries its signature. `query` is a presigned address. */
type SignatureForm = "header" | "query" | "none";

/** Tells the forms apart without reading them. */
function signatureForm(request: SignedRequest): SignatureForm {
  const presigned = request.query.some(([name]) => name === "X-Amz-Signature" || name === "X-Amz-Algorithm");
  if (!request.headers.has("authorization")) return presigned ? "query" : "none";
  if (!presigned) return "header";
  throw s3Error("InvalidArgument", "Cannot check the signature: there is one in the address and one in the headers");
}

/** Reads the claim in whichever form it comes; a new form is a case here.
 *  @throws SluiceError S3 AccessDenied without a signature, AuthorizationHeaderMalformed, AuthorizationQueryParametersError,
 *  InvalidRequest */
export function readClaim(request: SignedRequest): SignatureClaim {
  switch (signatureForm(request)) {
    case "header":
      return readHeaderClaim(request.headers);
    case "query":
      return readQueryClaim(request);
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
    expiresSeconds: null,
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

/** A presigned address: everything that a header would say is in parameters, each once. The body is not signed unless a parameter says its hash.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
function readQueryClaim({ query, headers }: SignedRequest): SignatureClaim {
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    if (!name.toLowerCase().startsWith("x-amz-")) continue;
    if (parameters.has(name)) throw malformedQuery(`${name} is there twice`);
    parameters.set(name, value);
  }
  const take = (name: string): string => parameters.get(name) ?? "";
  return {
    ...readNamedClaim(take, malformedQuery),
    signedHeaders: readSignedHeaders(take("X-Amz-SignedHeaders"), headers, malformedQuery),
    payloadHash:
      parameters.get("X-Amz-Content-Sha256") ?? header(headers, "x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD",
    expiresSeconds: readExpires(take("X-Amz-Expires")),
  };
}

/** What the signature of a policy says: the policy itself says what it covers, and how long. */
export type PolicyClaim = Omit<SignatureClaim, "signedHeaders" | "payloadHash" | "expiresSeconds">;

/** The claim of a browser's form, whose fields are called like the parameters of a presigned address.
 *  @param fields by lower-case name
 *  @throws SluiceError S3 InvalidArgument
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html */
export function readFormClaim(fields: ReadonlyMap<string, string>): PolicyClaim {
  return readNamedClaim((name) => fields.get(name.toLowerCase()) ?? "", malformedForm);
}

function readNamedClaim(take: (name: string) => string, refuse: (what: string) => Error): PolicyClaim {
  if (take("X-Amz-Algorithm") !== ALGORITHM) throw refuse(`X-Amz-Algorithm is not ${ALGORITHM}`);
  if (!/^[0-9a-f]{64}$/.test(take("X-Amz-Signature"))) throw refuse("X-Amz-Signature is not 64 hex digits");
  if (parseTimestamp(take("X-Amz-Date")) === null) throw refuse("X-Amz-Date is not YYYYMMDDTHHMMSSZ");
  return {
    ...readCredential(take("X-Amz-Credential"), refuse),
    signature: take("X-Amz-Signature"),
    timestamp: take("X-Amz-Date"),
  };
}

/** S3 allows seven days. */
const MAX_EXPIRES_SECONDS = 604_800;

function readExpires(text: string): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= MAX_EXPIRES_SECONDS) return seconds;
  throw malformedQuery(`X-Amz-Expires is not a number of seconds from 1 to ${MAX_EXPIRES_SECONDS}`);
}

/** `<access key>/<date>/<region>/<service>/aws4_request`; the key itself may hold slashes. */
function readCredential(
  text: string,
  refuse: (what: string) => Error = malformed,
): Pick<SignatureClaim, "accessKeyId" | "date" | "region" | "service"> {
  const parts = text.split("/");
  const [date = "", region = "", service = "", terminator = ""] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join("/");
  if (accessKeyId === "" || terminator !== "aws4_request" || !/^\d{8}$/.test(date)) {
    throw refuse("Credential is not <access key>/<date>/<region>/s3/aws4_request");
  }
  if (service !== "s3") throw refuse(`Credential is for the service "${service}", not "s3"`);
  return { accessKeyId, date, region, service };
}

/** `host` and every x-amz-* header must be covered: what is not signed could have been changed on the way. */
function readSignedHeaders(text: string, headers: HeaderTable, refuse: (what: string) => Error = malformed): string[] {
  const names = text.split(";");
  if (!names.includes("host")) throw refuse('SignedHeaders does not hold "host"');
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

/** The last one that was read: requests of one second say the same, and each asks twice. */
let latest: { readonly text: string; readonly at: number | null } = { text: "", at: null };

/** UTC ms of `YYYYMMDDTHHMMSSZ`, or null. */
export function parseTimestamp(text: string): number | null {
  if (text !== latest.text) latest = { text, at: readUtc(text) };
  return latest.at;
}

function readUtc(text: string): number | null {
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

function malformedQuery(what: string): Error {
  return s3Error("AuthorizationQueryParametersError", `Cannot read the presigned address: ${what}`);
}

function malformedForm(what: string): Error {
  return s3Error("InvalidArgument", `Cannot read the form's signature: ${what}`);
}

function malformed(what: string): Error {
  return s3Error("AuthorizationHeaderMalformed", `Cannot read the Authorization header: ${what}`);
}
