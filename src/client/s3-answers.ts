import type { IncomingMessage } from "node:http";
import { XMLParser } from "fast-xml-parser";
import { type ErrorCode, SluiceError } from "../core/errors.ts";
import { S3_ERRORS } from "../s3/errors.ts";

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

const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  isArray: (name) => name === "Contents" || name === "CommonPrefixes" || name === "Bucket",
});

interface ListResult {
  readonly IsTruncated?: string;
  readonly NextContinuationToken?: string;
  readonly Contents?: ReadonlyArray<{ Key: string; Size: string; ETag: string; LastModified: string }>;
  readonly CommonPrefixes?: ReadonlyArray<{ Prefix: string }>;
}

/** Reads a ListObjectsV2 answer that was asked for with `encoding-type=url`. */
export async function readListing(answer: IncomingMessage): Promise<ObjectListing> {
  const { ListBucketResult: result } = parser.parse(await textOf(answer)) as { ListBucketResult?: ListResult };
  return {
    objects: (result?.Contents ?? []).map((row) => ({
      key: decodeKey(row.Key),
      sizeBytes: Number(row.Size),
      etag: row.ETag.replaceAll("&quot;", "").replaceAll('"', ""),
      lastModified: row.LastModified,
    })),
    commonPrefixes: (result?.CommonPrefixes ?? []).map((row) => decodeKey(row.Prefix)),
    next: result?.IsTruncated === "true" ? (result.NextContinuationToken ?? null) : null,
  };
}

export async function readBuckets(answer: IncomingMessage): Promise<Array<{ name: string; createdAt: string }>> {
  const { ListAllMyBucketsResult: result } = parser.parse(await textOf(answer)) as {
    ListAllMyBucketsResult?: { Buckets?: { Bucket?: ReadonlyArray<{ Name: string; CreationDate: string }> } | string };
  };
  const rows = typeof result?.Buckets === "object" ? (result.Buckets.Bucket ?? []) : [];
  return rows.map((row) => ({ name: row.Name, createdAt: row.CreationDate }));
}

/** The error that an S3 answer of 300 or more stands for: our code for S3's, the server's sentence where it says one. */
export async function failureOf(answer: IncomingMessage, what: string): Promise<SluiceError> {
  const { Error: error } = parser.parse(await textOf(answer)) as { Error?: { Code?: string; Message?: string } };
  const status = answer.statusCode ?? 0;
  const code = codeOf(error?.Code ?? "") ?? codeOfStatus(status);
  return new SluiceError(code, error?.Message ?? `Cannot ${what}: the object store answered ${status}`, {
    details: { s3Code: error?.Code ?? "", status },
  });
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

const decodeKey = (text: string): string => decodeURIComponent(text.replaceAll("+", " "));

async function textOf(answer: IncomingMessage): Promise<string> {
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
