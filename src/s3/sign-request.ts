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
  const signed: SignedRequest = {
    method: request.method,
    path: request.path,
    query: request.query ?? [],
    headers: asTable(headers),
  };
  const scope = {
    date: timestamp.slice(0, 8),
    region: options.region ?? "us-east-1",
    service: "s3",
    timestamp,
  };
  const context = signCanonical(scope, options.credentials.secretKey, canonicalRequest(signed, names, payloadHash));
  headers.authorization =
    `${ALGORITHM} Credential=${options.credentials.accessKeyId}/${context.scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${context.seedSignature}`;
  return headers;
}

function asTable(headers: Readonly<Record<string, string>>): HeaderTable {
  return new Map(Object.entries(headers).map(([name, value]) => [name, [value]]));
}
