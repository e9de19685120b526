import type { IncomingMessage } from "node:http";
import { SluiceError } from "../core/errors.ts";
import { objectPath } from "../s3/sign-request.ts";
import { childrenNamed, childText, type XmlElement } from "../s3/xml-element.ts";
import { readXml } from "../s3/xml-read.ts";
import { element } from "../s3/xml-write.ts";
import { decodeKey, textOf } from "./s3-answers.ts";
import type { S3Call } from "./s3-connection.ts";

export interface UploadedPart {
  readonly number: number;
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
}

/** Uploads in parts, which outlive the connection and the process that began them. Errors as those of `S3Client`. */
export interface MultipartCalls {
  /** @returns the upload's id. The store keeps a CRC32 of the whole object, made from those of the parts. */
  create(bucket: string, key: string, contentType: string): Promise<string>;
  /** Ids of the open uploads of exactly this key, the newest last. */
  open(bucket: string, key: string): Promise<string[]>;
  /** All parts that arrived, by number. @throws UPLOAD_UNKNOWN */
  parts(bucket: string, key: string, uploadId: string): Promise<UploadedPart[]>;
  /** Sends exactly `sizeBytes` bytes. @returns the part's ETag without quotes: its MD5 */
  put(
    bucket: string,
    key: string,
    uploadId: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    sizeBytes: number,
  ): Promise<string>;
  /** @returns the object's ETag without quotes. Asking again after a lost answer gives the same. */
  complete(bucket: string, key: string, uploadId: string, parts: readonly UploadedPart[]): Promise<string>;
}

type Ask = (call: S3Call) => Promise<IncomingMessage>;

export function multipartCalls(ask: Ask): MultipartCalls {
  const document = async (call: S3Call): Promise<XmlElement> => readXml(await textOf(await ask(call)));
  return {
    create: async (bucket, key, contentType) => {
      const headers = {
        "content-type": contentType,
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-type": "FULL_OBJECT",
      };
      const answer = await document({
        method: "POST",
        path: objectPath(bucket, key),
        query: [["uploads", ""]],
        headers,
      });
      return childText(answer, "UploadId") ?? "";
    },
    open: (bucket, key) => openUploads(document, bucket, key),
    parts: (bucket, key, uploadId) => allParts(document, bucket, key, uploadId),
    put: async (bucket, key, uploadId, number, bytes, sizeBytes) => {
      const query: Array<[string, string]> = [
        ["partNumber", String(number)],
        ["uploadId", uploadId],
      ];
      const answer = await ask({ method: "PUT", path: objectPath(bucket, key), query, body: { bytes, sizeBytes } });
      answer.resume();
      return (answer.headers.etag ?? "").replaceAll('"', "");
    },
    complete: async (bucket, key, uploadId, parts) => {
      const bytes = Buffer.from(completion(parts));
      const query: Array<[string, string]> = [["uploadId", uploadId]];
      const body = { bytes, sizeBytes: bytes.length };
      const answer = await document({ method: "POST", path: objectPath(bucket, key), query, body });
      // A store that took long had to say 200 before it knew.
      if (answer.name === "Error")
        throw new SluiceError("INTERNAL", childText(answer, "Message") ?? "Cannot complete the upload");
      return (childText(answer, "ETag") ?? "").replaceAll('"', "");
    },
  };
}

function completion(parts: readonly UploadedPart[]): string {
  const each = parts.map(({ number, etag }) =>
    element("Part", [element("PartNumber", number), element("ETag", `"${etag}"`)]),
  );
  return element("CompleteMultipartUpload", each);
}

/** The key's own uploads come first among those that begin with it, so that a page that holds others has them all. */
async function openUploads(
  document: (call: S3Call) => Promise<XmlElement>,
  bucket: string,
  key: string,
): Promise<string[]> {
  const ids: string[] = [];
  let marker: string | undefined;
  for (;;) {
    const query: Array<[string, string]> = [
      ["uploads", ""],
      ["encoding-type", "url"],
      ["prefix", key],
    ];
    if (marker !== undefined) query.push(["key-marker", key], ["upload-id-marker", marker]);
    const page = await document({ method: "GET", path: objectPath(bucket), query });
    const uploads = childrenNamed(page, "Upload");
    const own = uploads.filter((upload) => decodeKey(childText(upload, "Key") ?? "") === key);
    ids.push(...own.map((upload) => childText(upload, "UploadId") ?? ""));
    if (childText(page, "IsTruncated") !== "true" || own.length < uploads.length || own.length === 0) return ids;
    marker = ids.at(-1);
  }
}

async function allParts(
  document: (call: S3Call) => Promise<XmlElement>,
  bucket: string,
  key: string,
  uploadId: string,
): Promise<UploadedPart[]> {
  const parts: UploadedPart[] = [];
  for (;;) {
    const query: Array<[string, string]> = [
      ["uploadId", uploadId],
      ["part-number-marker", String(parts.at(-1)?.number ?? 0)],
    ];
    const page = await document({ method: "GET", path: objectPath(bucket, key), query });
    const rows = childrenNamed(page, "Part");
    for (const row of rows) {
      parts.push({
        number: Number(childText(row, "PartNumber")),
        sizeBytes: Number(childText(row, "Size")),
        etag: (childText(row, "ETag") ?? "").replaceAll('"', ""),
      });
    }
    if (childText(page, "IsTruncated") !== "true" || rows.length === 0) return parts;
  }
}
