import { isUtf8 } from "node:buffer";
import type { ServerResponse } from "node:http";
import type { ObjectInfo } from "../core/object.ts";
import { type HeaderTable, header } from "../s3/canonical-request.ts";
import { CHECKSUM_PREFIX } from "../s3/checksums.ts";
import { s3Error } from "../s3/errors.ts";
import { readTagHeader } from "./tags.ts";

const META_PREFIX = "x-amz-meta-";
/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
const MAX_METADATA_BYTES = 2048;
const KEPT = ["cache-control", "content-disposition", "content-language", "expires"];
const DEFAULT_TYPE = "binary/octet-stream";

/** What a PUT may ask for that this store does not do: refused, because a client that asked relies on it. */
const NOT_YET = [
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-customer-algorithm",
  "x-amz-object-lock-mode",
  "x-amz-object-lock-legal-hold",
  "x-amz-website-redirect-location",
  "x-amz-write-offset-bytes",
];

/** What is kept of an upload's headers. */
export interface ObjectHeaders {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** @throws SluiceError S3 MetadataTooLarge, InvalidArgument, InvalidTag, NotImplemented, AccessControlListNotSupported */
export function readObjectHeaders(headers: HeaderTable): ObjectHeaders {
  refuseUnsupported(headers);
  const kept: Record<string, string> = {};
  for (const name of KEPT) {
    const value = header(headers, name);
    if (value !== undefined) kept[name] = textOf(name, value);
  }
  const encoding = contentEncoding(headers);
  if (encoding !== "") kept["content-encoding"] = textOf("content-encoding", encoding);
  return {
    contentType: textOf("content-type", header(headers, "content-type") ?? DEFAULT_TYPE),
    metadata: readMetadata(headers),
    headers: kept,
    tags: readTagHeader(header(headers, "x-amz-tagging")),
  };
}

/** `aws-chunked` says how the body was sent, not what the object is. */
function contentEncoding(headers: HeaderTable): string {
  return (headers.get("content-encoding") ?? [])
    .flatMap((value) => value.split(","))
    .map((value) => value.trim())
    .filter((value) => value !== "" && value.toLowerCase() !== "aws-chunked")
    .join(", ");
}

function readMetadata(headers: HeaderTable): Record<string, string> {
  // Clients choose the names: `__proto__` is one like any other.
  const metadata: Record<string, string> = Object.create(null);
  let bytes = 0;
  for (const [name, values] of headers) {
    if (!name.startsWith(META_PREFIX)) continue;
    const value = values.join(",");
    bytes += name.length - META_PREFIX.length + value.length;
    metadata[name.slice(META_PREFIX.length)] = textOf(name, value);
  }
  if (bytes > MAX_METADATA_BYTES) {
    throw s3Error(
      "MetadataTooLarge",
      `Cannot store the object: its metadata has ${bytes} bytes, at most ${MAX_METADATA_BYTES} are allowed`,
    );
  }
  return metadata;
}

/** Headers arrive one character a byte; what they hold is UTF-8. */
function textOf(name: string, value: string): string {
  const bytes = Buffer.from(value, "latin1");
  if (!isUtf8(bytes)) throw s3Error("InvalidArgument", `Cannot store the header ${name}: its value is not valid UTF-8`);
  return bytes.toString("utf8");
}

function refuseUnsupported(headers: HeaderTable): void {
  const found = NOT_YET.find((name) => headers.has(name));
  if (found !== undefined)
    throw s3Error("NotImplemented", `Cannot honour the header ${found}: this server does not do that`);
  const storageClass = header(headers, "x-amz-storage-class");
  if (storageClass !== undefined && storageClass !== "STANDARD") {
    throw s3Error("NotImplemented", `Cannot use this storage class: "STANDARD" is the only one`);
  }
  refuseAcl(headers);
}

/** Everything belongs to its owner alone, which is what the canned ACL `private` means.
 *  @throws SluiceError S3 AccessControlListNotSupported */
export function refuseAcl(headers: HeaderTable): void {
  const acl = header(headers, "x-amz-acl");
  const grants = [...headers.keys()].some((name) => name.startsWith("x-amz-grant-"));
  if (grants || (acl !== undefined && acl !== "private" && acl !== "bucket-owner-full-control")) {
    throw s3Error("AccessControlListNotSupported", 'Cannot set an access control list: only "private" is supported');
  }
}

/** The headers of an answer that is about an object, as a flat list of names and values for `writeHead`. */
export function objectHeaders(object: ObjectInfo, withChecksums: boolean): string[] {
  const list = ["ETag", `"${object.etag}"`, "Last-Modified", new Date(object.lastModified).toUTCString()];
  list.push("Accept-Ranges", "bytes", "Content-Type", wire(object.contentType));
  for (const name in object.headers) list.push(name, wire(object.headers[name] ?? ""));
  for (const name in object.metadata) list.push(META_PREFIX + name, wire(object.metadata[name] ?? ""));
  for (const [name, value] of versionHeaders(object)) list.push(name, value);
  const tags = Object.keys(object.tags).length;
  if (tags > 0) list.push("x-amz-tagging-count", String(tags));
  if (withChecksums) list.push(...checksumHeaders(object.checksums));
  return list;
}

/** Names the version, where the bucket has versions. */
export function versionHeaders({ versionId }: Pick<ObjectInfo, "versionId">): Array<[string, string]> {
  return versionId === "null" ? [] : [["x-amz-version-id", versionId]];
}

/** The same for an answer whose head may be out already, because the work took long. */
export function setVersionHeader(response: ServerResponse, object: Pick<ObjectInfo, "versionId">): void {
  if (response.headersSent) return;
  for (const [name, value] of versionHeaders(object)) response.setHeader(name, value);
}

export function checksumHeaders(checksums: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(checksums);
  if (names.length === 0) return [];
  return [
    ...names.flatMap((name) => [CHECKSUM_PREFIX + name, checksums[name] ?? ""]),
    ...["x-amz-checksum-type", checksumType(checksums)],
  ];
}

/** A checksum of the parts' checksums ends with their number. */
export function checksumType(checksums: Readonly<Record<string, string>>): "COMPOSITE" | "FULL_OBJECT" {
  return Object.values(checksums).some((value) => value.includes("-")) ? "COMPOSITE" : "FULL_OBJECT";
}

/** Back to one character a byte, which is how Node writes headers. */
function wire(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
