import { canonicalRequest, type HeaderTable, type SignedRequest } from "./canonical-request.ts";
import { signCanonical } from "./signature.ts";
import { ALGORITHM, formatTimestamp } from "./signature-claim.ts";
import { encodeUriComponent, encodeUriPath, type QueryPair } from "./uri-encoding.ts";

interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretKey: string;
}

/** A request to be signed. `host` is the authority that the Host header will hold, with its port unless that is the scheme's default. */
export interface UnsignedRequest {
  readonly method: string;
  readonly host: string;
  /** Decoded path; `objectPath` makes it. */
  readonly path: string;
  readonly query?: readonly QueryPair[];
  /** More headers to sign, lower-case names; values are ASCII. */
  readonly headers?: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, `UNSIGNED-PAYLOAD` (the default) or a STREAMING-* name. */
  readonly payloadHash?: string;
}

export interface SignOptions {
  readonly credentials: S3Credentials;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** UTC ms. */
  readonly at: number;
}

/** The decoded path of an object or a bucket, as `path` of a request. */
export function objectPath(bucket: string, key = ""): string {
  return key === "" ? `/${bucket}` : `/${bucket}/${key}`;
}

/** The request target as it must stand on the wire. Pass it to `http.request({path})` as it is: `new URL` would fold `a/../b`. */
export function requestTarget(path: string, query: readonly QueryPair[] = []): string {
  const encoded = query.map(([name, value]) => `${encodeUriComponent(name)}=${encodeUriComponent(value)}`).join("&");
  return encoded === "" ? encodeUriPath(path) : `${encodeUriPath(path)}?${encoded}`;
}

/** All headers to send: the given ones, `host`, `x-amz-date`, `x-amz-content-sha256` and `authorization`. */
export function signRequest(request: UnsignedRequest, options: SignOptions): Record<string, string> {
  const payloadHash = request.payloadHash ?? "UNSIGNED-PAYLOAD";
  const timestamp = formatTimestamp(options.at);
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    "x-amz-content-sha256": payloadHash,
    "x-amz-date": timestamp,
  };
  const names = Object.keys(headers).toSorted();
  const { accessKeyId, secretKey } = options.credentials;
  const signed: SignedRequest = { ...request, query: request.query ?? [], headers: asTable(headers) };
  const context = signCanonical(scopeOf(options), secretKey, canonicalRequest(signed, names, payloadHash));
  headers.authorization =
    `${ALGORITHM} Credential=${accessKeyId}/${context.scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${context.seedSignature}`;
  return headers;
}

/** The request target of a presigned address, for `http://<host>` or `https://<host>` in front: whoever has it can make this request, and no
 *  other, until it expires. `headers` must then be sent as they were given; the body is not signed.
 *  @param expiresSeconds 1 to 604,800 (seven days)
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
export function presignedTarget(request: UnsignedRequest, options: SignOptions, expiresSeconds: number): string {
  const headers: Record<string, string> = { ...request.headers, host: request.host };
  const names = Object.keys(headers).toSorted();
  const scope = scopeOf(options);
  const { accessKeyId, secretKey } = options.credentials;
  const query: QueryPair[] = [
    ...(request.query ?? []),
    ["X-Amz-Algorithm", ALGORITHM],
    ["X-Amz-Credential", `${accessKeyId}/${scope.date}/${scope.region}/${scope.service}/aws4_request`],
    ["X-Amz-Date", scope.timestamp],
    ["X-Amz-Expires", String(expiresSeconds)],
    ["X-Amz-SignedHeaders", names.join(";")],
  ];
  const signed: SignedRequest = { ...request, query, headers: asTable(headers) };
  const context = signCanonical(scope, secretKey, canonicalRequest(signed, names, "UNSIGNED-PAYLOAD"));
  return requestTarget(request.path, [...query, ["X-Amz-Signature", context.seedSignature]]);
}

function scopeOf({ region, at }: SignOptions) {
  const timestamp = formatTimestamp(at);
  return { date: timestamp.slice(0, 8), region: region ?? "us-east-1", service: "s3", timestamp };
}

function asTable(headers: Readonly<Record<string, string>>): HeaderTable {
  return new Map(Object.entries(headers).map(([name, value]) => [name, [value]]));
}
