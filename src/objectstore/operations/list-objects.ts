import type { ObjectInfo } from "../../core/object.ts";
import { s3Error } from "../../s3/errors.ts";
import { encodeUriPath } from "../../s3/uri-encoding.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import type { ObjectPage } from "../../state/state.ts";
import { answerXml } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { personElement, prefixElements } from "../elements.ts";
import { checksumType } from "../object-headers.ts";
import { parameter, type S3Request } from "../request.ts";

const MAX_KEYS = 1000;

/** What both versions of the call ask for. */
interface Listing {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly after: string;
  /** Writes a key as the client wants to read it. */
  readonly show: (text: string) => string;
}

/** ListObjectsV2. */
export async function listObjectsV2(call: Call): Promise<void> {
  const { request } = call;
  const token = parameter(request, "continuation-token");
  const startAfter = parameter(request, "start-after") ?? "";
  const listing = readListing(request, token === undefined ? startAfter : readToken(token));
  const page = await fetchPage(call, listing);
  const { show } = listing;
  const withOwner = parameter(request, "fetch-owner") === "true";
  answerXml(
    call.response,
    200,
    xmlDocument("ListBucketResult", [
      ...commonElements(request, listing, page),
      element("KeyCount", page.objects.length + page.commonPrefixes.length),
      ...(token === undefined ? [] : [element("ContinuationToken", token)]),
      ...(page.next === null ? [] : [element("NextContinuationToken", writeToken(page.next))]),
      ...(startAfter === "" ? [] : [element("StartAfter", show(startAfter))]),
      ...contents(page, show, withOwner),
    ]),
  );
}

/** ListObjects, which some clients still use. The marker to go on from is always given, as it may lie behind a common prefix. */
export async function listObjectsV1(call: Call): Promise<void> {
  const { request } = call;
  const marker = parameter(request, "marker") ?? "";
  const listing = readListing(request, marker);
  const page = await fetchPage(call, listing);
  const { show } = listing;
  answerXml(
    call.response,
    200,
    xmlDocument("ListBucketResult", [
      ...commonElements(request, listing, page),
      element("Marker", show(marker)),
      ...(page.next === null ? [] : [element("NextMarker", show(page.next))]),
      ...contents(page, show, true),
    ]),
  );
}

function readListing(request: S3Request, after: string): Listing {
  return {
    prefix: parameter(request, "prefix") ?? "",
    delimiter: parameter(request, "delimiter") ?? "",
    maxKeys: readMaxKeys(request, "max-keys"),
    after,
    show: readShow(request),
  };
}

/** How keys are written into the answer. @throws SluiceError S3 InvalidArgument */
export function readShow(request: S3Request): Listing["show"] {
  const encoding = parameter(request, "encoding-type");
  if (encoding !== undefined && encoding !== "url") {
    throw s3Error("InvalidArgument", 'Cannot use this encoding-type: "url" is the only one');
  }
  return encoding === "url" ? encodeUriPath : (text) => text;
}

/** Entries a page, at most 1,000, which is also the default. @throws SluiceError S3 InvalidArgument */
export function readMaxKeys(request: S3Request, name: string): number {
  const text = parameter(request, name);
  if (text === undefined || text === "") return MAX_KEYS;
  if (!/^\d{1,10}$/.test(text)) throw s3Error("InvalidArgument", `Cannot use this ${name}: it is not a whole number`);
  return Math.min(MAX_KEYS, Number(text));
}

async function fetchPage(call: Call, { prefix, delimiter, maxKeys, after }: Listing): Promise<ObjectPage> {
  await allowedBucket(call, "bucket.list");
  if (maxKeys === 0) return { objects: [], commonPrefixes: [], next: null };
  return call.deps.state.listObjects({ bucket: call.request.bucket, prefix, delimiter, after, limit: maxKeys });
}

function commonElements(request: S3Request, listing: Listing, page: ObjectPage): string[] {
  const { show, prefix, delimiter, maxKeys } = listing;
  return [
    element("Name", request.bucket),
    element("Prefix", show(prefix)),
    ...(delimiter === "" ? [] : [element("Delimiter", show(delimiter))]),
    element("MaxKeys", maxKeys),
    ...(show === encodeUriPath ? [element("EncodingType", "url")] : []),
    element("IsTruncated", page.next !== null),
  ];
}

function contents(page: ObjectPage, show: (text: string) => string, withOwner: boolean): string[] {
  return [
    ...page.objects.map((object) => contentElement(object, show, withOwner)),
    ...prefixElements(page.commonPrefixes, show),
  ];
}

function contentElement(object: ObjectInfo, show: (text: string) => string, withOwner: boolean): string {
  const { owner } = object;
  const ownerElement = withOwner ? personElement("Owner", owner) : "";
  // Written out, as a page has a thousand of them: what is not escaped is hex digits, a date and a number.
  return (
    `<Contents>${element("Key", show(object.key))}<LastModified>${new Date(object.lastModified).toISOString()}</LastModified>` +
    `<ETag>&quot;${object.etag}&quot;</ETag>${checksumEntries(object).join("")}<Size>${object.sizeBytes}</Size>` +
    `${ownerElement}<StorageClass>STANDARD</StorageClass></Contents>`
  );
}

/** A listing names the algorithms, not the values. */
export function checksumEntries({ checksums }: ObjectInfo): string[] {
  const algorithms = Object.keys(checksums);
  if (algorithms.length === 0) return [];
  return [
    ...algorithms.map((algorithm) => element("ChecksumAlgorithm", algorithm.toUpperCase())),
    element("ChecksumType", checksumType(checksums)),
  ];
}

/** Tokens are opaque to clients: the place to go on from, which may be no valid XML. */
function writeToken(next: string): string {
  return Buffer.from(next, "utf8").toString("base64url");
}

function readToken(token: string): string {
  const next = Buffer.from(token, "base64url").toString("utf8");
  if (token === "" || writeToken(next) !== token) {
    throw s3Error("InvalidArgument", "Cannot use this continuation-token: it is none that this server gave");
  }
  return next;
}
