import type { IncomingMessage } from "node:http";
import { type ErrorCode, SluiceError } from "../core/errors.ts";
import { S3_ERRORS } from "../s3/errors.ts";
import { childrenNamed, childText, type XmlElement } from "../s3/xml-element.ts";
import { readXml } from "../s3/xml-read.ts";

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModified: string;
}

export interface ObjectListing {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly next: string | null;
}

/** A page of 1,000 keys of 1,024 bytes, each three times as long in URL encoding, with everything around it, is below this. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** Reads a ListObjectsV2 answer that was asked for with `encoding-type=url`. */
export async function readListing(answer: IncomingMessage): Promise<ObjectListing> {
  const result = readXml(await textOf(answer), MAX_ANSWER_BYTES);
  return {
    objects: childrenNamed(result, "Contents").map((row) => ({
      key: decodeKey(childText(row, "Key") ?? ""),
      sizeBytes: Number(childText(row, "Size")),
      etag: (childText(row, "ETag") ?? "").replaceAll('"', ""),
      lastModified: childText(row, "LastModified") ?? "",
    })),
    commonPrefixes: childrenNamed(result, "CommonPrefixes").map((row) => decodeKey(childText(row, "Prefix") ?? "")),
    next: childText(result, "IsTruncated") === "true" ? (childText(result, "NextContinuationToken") ?? null) : null,
  };
}

export async function readBuckets(answer: IncomingMessage): Promise<Array<{ name: string; createdAt: string }>> {
  const [buckets] = childrenNamed(readXml(await textOf(answer), MAX_ANSWER_BYTES), "Buckets");
  const rows = buckets === undefined ? [] : childrenNamed(buckets, "Bucket");
  return rows.map((row) => ({
    name: childText(row, "Name") ?? "",
    createdAt: childText(row, "CreationDate") ?? "",
  }));
}

/** The error that an S3 answer of 300 or more stands for: our code for S3's, the server's sentence where it says one. */
export async function failureOf(answer: IncomingMessage, what: string): Promise<SluiceError> {
  const error = errorElement(await textOf(answer));
  const s3Code = error === null ? "" : (childText(error, "Code") ?? "");
  const message = error === null ? undefined : childText(error, "Message");
  const status = answer.statusCode ?? 0;
  return new SluiceError(
    codeOf(s3Code) ?? codeOfStatus(status),
    message ?? `Cannot ${what}: the object store answered ${status}`,
    {
      details: { s3Code, status },
    },
  );
}

/** Null when the body is no error document: an answer to HEAD, or something between us and the store that speaks for itself. */
function errorElement(text: string): XmlElement | null {
  try {
    const root = readXml(text, MAX_ANSWER_BYTES);
    return root.name === "Error" ? root : null;
  } catch (error) {
    if (error instanceof SluiceError) return null;
    throw error;
  }
}

const ours: Readonly<Record<string, { readonly code: ErrorCode }>> = S3_ERRORS;
const codeOf = (s3Code: string): ErrorCode | null =>
  Object.hasOwn(ours, s3Code) ? (ours[s3Code]?.code ?? null) : null;

/** Answers to HEAD have no body, so the status is all there is. */
function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return "UNAUTHENTICATED";
  if (status === 403) return "FORBIDDEN";
  if (status === 404) return "OBJECT_UNKNOWN";
  if (status === 412) return "PRECONDITION_FAILED";
  if (status === 503) return "STOPPING";
  if (status === 507) return "DISK_FULL";
  return "INTERNAL";
}

export const decodeKey = (text: string): string => decodeURIComponent(text.replaceAll("+", " "));

/** The whole body of an answer. @throws SluiceError BODY_TOO_LARGE */
export async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES)
      throw new SluiceError("BODY_TOO_LARGE", "Cannot read the object store's answer: it is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
