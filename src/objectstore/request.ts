import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { hostOfHeader } from "../lib/host-names.ts";
import { type HeaderTable, header, headerTable, type SignedRequest } from "../s3/canonical-request.ts";
import { s3Error } from "../s3/errors.ts";
import { decodeUriPart, encodeUriPath, parseQuery, type QueryPair } from "../s3/uri-encoding.ts";

/** A request, taken apart but not yet believed. */
export interface S3Request extends SignedRequest {
  readonly message: IncomingMessage;
  readonly method: string;
  /** Of the sender's own connection. */
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly query: readonly QueryPair[];
  readonly headers: HeaderTable;
  /** "" for the service itself. */
  readonly bucket: string;
  /** "" for a bucket. */
  readonly key: string;
}

/** Path style is `/bucket/key`, where everything behind the second slash is the key, byte for byte. Under a name below one of `domains` the
 *  bucket is in the name and the whole path is the key.
 *  @param domains lower case; default none
 *  @throws SluiceError S3 InvalidURI */
export function parseRequest(
  message: IncomingMessage,
  domains: readonly string[] = [],
  scheme: S3Request["scheme"] = "http",
): S3Request {
  const target = message.url ?? "";
  if (!target.startsWith("/")) throw s3Error("InvalidURI", 'Cannot read the address: it does not start with "/"');
  const question = target.indexOf("?");
  const path = decodeUriPart(question < 0 ? target : target.slice(0, question));
  const named = domains.length === 0 ? null : bucketInHost(message.headers.host, domains);
  const slash = path.indexOf("/", 1);
  const place =
    named === null
      ? { bucket: slash < 0 ? path.slice(1) : path.slice(1, slash), key: slash < 0 ? "" : path.slice(slash + 1) }
      : { bucket: named, key: path.slice(1) };
  return {
    message,
    method: message.method ?? "",
    scheme,
    path,
    query: question < 0 ? [] : parseQuery(target.slice(question + 1)),
    headers: headerTable(message.rawHeaders),
    ...place,
  };
}

/** The bucket of `BUCKET.DOMAIN`; null for any other name. The longest domain wins, as one may lie below another. */
function bucketInHost(hostHeader: string | undefined, domains: readonly string[]): string | null {
  const host = hostHeader === undefined ? null : hostOfHeader(hostHeader);
  if (host === null || domains.includes(host)) return null;
  const below = domains.filter((domain) => host.endsWith(`.${domain}`)).toSorted((a, b) => b.length - a.length);
  return below[0] === undefined ? null : host.slice(0, -below[0].length - 1);
}

/** Whether the request came under its bucket's own host name. */
export function isHostStyle({ path, key }: Pick<S3Request, "path" | "key">): boolean {
  return path.slice(1) === key;
}

/** The address of an object of the request's bucket, in the style that the request has. */
export function objectUrl(request: S3Request, key: string): string {
  const host = header(request.headers, "host") ?? "";
  return `${request.scheme}://${host}${encodeUriPath(isHostStyle(request) ? `/${key}` : `/${request.bucket}/${key}`)}`;
}

/** The first parameter of that name, or undefined. */
export function parameter(request: SignedRequest, name: string): string | undefined {
  return request.query.find(([other]) => other === name)?.[1];
}

/** The Content-Length, or null when the body's end is told another way (or there is none).
 *  Node has refused what is no number or says two things. */
export function contentLength(request: S3Request): number | null {
  const text = header(request.headers, "content-length");
  return text === undefined ? null : Number(text);
}

const processPart = randomBytes(4).toString("hex").toUpperCase();
let requests = 0;

/** 16 hex digits; different for every request and, very likely, every process. */
export function newRequestId(): string {
  requests = (requests + 1) % 0x1_0000_0000;
  return processPart + requests.toString(16).toUpperCase().padStart(8, "0");
}
