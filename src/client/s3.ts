import type { IncomingMessage } from "node:http";
import { SluiceError } from "../core/errors.ts";
import { objectPath } from "../s3/sign-request.ts";
import type { QueryPair } from "../s3/uri-encoding.ts";
import { type ObjectListing, readBuckets, readListing } from "./s3-answers.ts";
import { type S3Call, S3Connection, type S3ConnectionOptions } from "./s3-connection.ts";
import { type MultipartCalls, multipartCalls } from "./s3-multipart.ts";

export type S3ClientOptions = S3ConnectionOptions;

interface ObjectFacts {
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly contentType: string;
  /** CRC32 of all bytes, base64, where the store keeps one. */
  readonly crc32: string | null;
  readonly lastModified: string;
}

interface ListOptions {
  readonly prefix?: string;
  readonly delimiter?: string;
  /** `next` of the page before. */
  readonly after?: string;
  readonly limit?: number;
}

/** A streaming S3 client for the command line: what Sluice's own commands need, nothing held whole in memory.
 *  Every method throws SluiceErrors: the server's code where it answered, UNREACHABLE where it did not. */
export interface S3Client {
  /** Sends exactly `sizeBytes` bytes. @returns the ETag without quotes */
  put(
    bucket: string,
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    sizeBytes: number,
    contentType?: string,
  ): Promise<string>;
  /** The bytes from `from` on, provided that the object still has the ETag `ifMatch`. Bytes that break off end in BODY_TRUNCATED. */
  get(
    bucket: string,
    key: string,
    options?: { from?: number; ifMatch?: string },
  ): Promise<{ facts: ObjectFacts; body: AsyncIterable<Uint8Array> }>;
  /** Null when there is no such object. */
  head(bucket: string, key: string): Promise<ObjectFacts | null>;
  readonly multipart: MultipartCalls;
  remove(bucket: string, key: string): Promise<void>;
  list(bucket: string, options?: ListOptions): Promise<ObjectListing>;
  buckets(): Promise<Array<{ name: string; createdAt: string }>>;
  createBucket(bucket: string): Promise<void>;
  removeBucket(bucket: string): Promise<void>;
  close(): void;
}

export function createS3Client(options: S3ClientOptions): S3Client {
  const connection = new S3Connection(options);
  const call = (sent: S3Call): Promise<IncomingMessage> => connection.call(sent);

  const done = async (sent: S3Call): Promise<IncomingMessage> => {
    const answer = await call(sent);
    answer.resume();
    return answer;
  };

  return {
    put: async (bucket, key, bytes, sizeBytes, contentType) => {
      const headers: Record<string, string> = contentType ? { "content-type": contentType } : {};
      const answer = await done({ method: "PUT", path: objectPath(bucket, key), headers, body: { bytes, sizeBytes } });
      return etagOf(answer);
    },
    get: async (bucket, key, { from = 0, ifMatch } = {}) => {
      const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      if (ifMatch) headers["if-match"] = `"${ifMatch}"`;
      const answer = await call({ method: "GET", path: objectPath(bucket, key), headers });
      return { facts: factsOf(answer), body: whole(answer, `${bucket}/${key}`) };
    },
    head: async (bucket, key) => {
      const headers = { "x-amz-checksum-mode": "ENABLED" };
      const answer = await done({ method: "HEAD", path: objectPath(bucket, key), headers, accept: [404] });
      return answer.statusCode === 404 ? null : factsOf(answer);
    },
    multipart: multipartCalls(call),
    remove: async (bucket, key) => void (await done({ method: "DELETE", path: objectPath(bucket, key) })),
    list: async (bucket, { prefix = "", delimiter = "", after, limit } = {}) => {
      const query: QueryPair[] = [
        ["list-type", "2"],
        ["encoding-type", "url"],
      ];
      if (prefix) query.push(["prefix", prefix]);
      if (delimiter) query.push(["delimiter", delimiter]);
      if (after) query.push(["continuation-token", after]);
      if (limit) query.push(["max-keys", String(limit)]);
      return readListing(await call({ method: "GET", path: objectPath(bucket), query }));
    },
    buckets: async () => readBuckets(await call({ method: "GET", path: "/" })),
    createBucket: async (bucket) => void (await done({ method: "PUT", path: objectPath(bucket) })),
    removeBucket: async (bucket) => void (await done({ method: "DELETE", path: objectPath(bucket) })),
    close: () => connection.close(),
  };
}

/** The chunks of an answer, to its promised end. */
async function* whole(answer: IncomingMessage, name: string): AsyncGenerator<Uint8Array> {
  try {
    yield* answer;
  } catch (cause) {
    const state = "the connection ended before all of it arrived";
    throw new SluiceError("BODY_TRUNCATED", `Cannot read "${name}": ${state} (try again)`, { cause });
  }
}

const etagOf = (answer: IncomingMessage): string => (answer.headers.etag ?? "").replaceAll('"', "");

/** One of the parts' checksums says nothing about the bytes in a row. */
function wholeCrc32({ headers }: IncomingMessage): string | null {
  const crc32 = headers["x-amz-checksum-crc32"];
  return typeof crc32 === "string" && headers["x-amz-checksum-type"] !== "COMPOSITE" ? crc32 : null;
}

function factsOf(answer: IncomingMessage): ObjectFacts {
  return {
    sizeBytes: Number(answer.headers["content-length"] ?? 0),
    etag: etagOf(answer),
    crc32: wholeCrc32(answer),
    contentType: answer.headers["content-type"] ?? "application/octet-stream",
    lastModified: answer.headers["last-modified"] ?? "",
  };
}
