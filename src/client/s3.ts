import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SluiceError } from "../core/errors.ts";
import { objectPath, requestTarget, signRequest } from "../s3/sign-request.ts";
import type { QueryPair } from "../s3/uri-encoding.ts";
import { failureOf, type ObjectListing, readBuckets, readListing } from "./s3-answers.ts";

export interface S3ClientOptions {
  /** `http://127.0.0.1:9000` */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Connections kept open. Default 16. */
  readonly connections?: number;
  /** A connection without a byte for this long is given up. Default 60 s. */
  readonly idleMs?: number;
}

export interface ObjectFacts {
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly contentType: string;
  readonly lastModified: string;
}

export interface ListOptions {
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
  /** The bytes from `from` on, provided that the object still has the ETag `ifMatch`. */
  get(
    bucket: string,
    key: string,
    options?: { from?: number; ifMatch?: string },
  ): Promise<{ facts: ObjectFacts; body: Readable }>;
  /** Null when there is no such object. */
  head(bucket: string, key: string): Promise<ObjectFacts | null>;
  remove(bucket: string, key: string): Promise<void>;
  list(bucket: string, options?: ListOptions): Promise<ObjectListing>;
  buckets(): Promise<Array<{ name: string; createdAt: string }>>;
  createBucket(bucket: string): Promise<void>;
  removeBucket(bucket: string): Promise<void>;
  close(): void;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: readonly QueryPair[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly bytes: Uint8Array | AsyncIterable<Uint8Array>; readonly sizeBytes: number };
  /** Statuses that are answers, not failures. */
  readonly accept?: readonly number[];
}

const DEFAULT_IDLE_MS = 60_000;

export function createS3Client(options: S3ClientOptions): S3Client {
  const endpoint = new URL(options.endpoint);
  const secure = endpoint.protocol === "https:";
  const settings = { keepAlive: true, maxSockets: options.connections ?? 16 };
  const agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);
  const send = secure ? httpsRequest : httpRequest;

  function call({ method, path, query = [], headers = {}, body, accept = [] }: Call): Promise<IncomingMessage> {
    const sized: Record<string, string> = body
      ? { ...headers, "content-length": String(body.sizeBytes) }
      : { ...headers };
    const signed = signRequest(
      { method, host: endpoint.host, path, query, headers: sized },
      {
        credentials: { accessKeyId: options.accessKey, secretKey: options.secretKey },
        region: options.region ?? "us-east-1",
        at: Date.now(),
      },
    );
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = send({
      agent,
      method,
      host: endpoint.hostname.replace(/^\[|\]$/g, ""),
      port: endpoint.port,
      path: requestTarget(path, query),
      headers: signed,
    });
    const lost = (cause: unknown): void =>
      reject(cause instanceof SluiceError ? cause : unreachable(options.endpoint, cause));
    outgoing.setTimeout(options.idleMs ?? DEFAULT_IDLE_MS, () =>
      outgoing.destroy(new Error("nothing came for too long")),
    );
    outgoing.on("error", lost);
    outgoing.on("response", (answer) => {
      const status = answer.statusCode ?? 0;
      if ((status >= 200 && status < 300) || accept.includes(status)) resolve(answer);
      else failureOf(answer, `${method} ${path}`).then(reject, lost);
    });
    if (!body) outgoing.end();
    else if (body.bytes instanceof Uint8Array) outgoing.end(body.bytes);
    // The server may answer before it has read everything: that answer, not the broken pipe, is what the caller must see.
    else
      pipeline(Readable.from(body.bytes, { objectMode: false, highWaterMark: 256 * 1024 }), outgoing).catch((error) =>
        setTimeout(lost, 100, error),
      );
    return promise;
  }

  const done = async (sent: Call): Promise<IncomingMessage> => {
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
      return { facts: factsOf(answer), body: answer };
    },
    head: async (bucket, key) => {
      const answer = await done({ method: "HEAD", path: objectPath(bucket, key), accept: [404] });
      return answer.statusCode === 404 ? null : factsOf(answer);
    },
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
    close: () => agent.destroy(),
  };
}

const etagOf = (answer: IncomingMessage): string => (answer.headers.etag ?? "").replaceAll('"', "");

function factsOf(answer: IncomingMessage): ObjectFacts {
  return {
    sizeBytes: Number(answer.headers["content-length"] ?? 0),
    etag: etagOf(answer),
    contentType: answer.headers["content-type"] ?? "application/octet-stream",
    lastModified: answer.headers["last-modified"] ?? "",
  };
}

function unreachable(endpoint: string, cause: unknown): SluiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SluiceError(
    "UNREACHABLE",
    `Cannot reach the object store at ${endpoint}: ${why} (start it with: npx sluice up)`,
    { cause },
  );
}
