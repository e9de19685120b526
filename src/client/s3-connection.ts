import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SluiceError } from "../core/errors.ts";
import { Agent as HttpAgent, request as httpRequest } from "../lib/node-http.ts";
import { requestTarget, signRequest } from "../s3/sign-request.ts";
import type { QueryPair } from "../s3/uri-encoding.ts";
import { failureOf } from "./s3-answers.ts";

export interface S3ConnectionOptions {
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

export interface S3Call {
  readonly method: string;
  readonly path: string;
  readonly query?: readonly QueryPair[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly bytes: Uint8Array | AsyncIterable<Uint8Array>; readonly sizeBytes: number };
  /** Statuses that are answers, not failures. */
  readonly accept?: readonly number[];
}

const DEFAULT_IDLE_MS = 60_000;
const DEFAULT_CONNECTIONS = 16;
/** How long an answer may come after the connection under a body broke. */
const LATE_ANSWER_MS = 100;

/** Signed calls of one S3 server over kept connections. */
export class S3Connection {
  readonly #options: S3ConnectionOptions;
  readonly #endpoint: URL;
  readonly #agent: Agent;

  constructor(options: S3ConnectionOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.endpoint);
    const settings = { keepAlive: true, maxSockets: options.connections ?? DEFAULT_CONNECTIONS };
    this.#agent = this.#isSecure ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** The answer's head; its body is the caller's to read. A call without a body is made again when the kept connection it was given had just been
   *  ended by the server.
   *  @throws SluiceError the server's own code, or UNREACHABLE; what the body's source throws */
  call(call: S3Call): Promise<IncomingMessage> {
    const { method, path, body, accept = [] } = call;
    const source = body === undefined || body.bytes instanceof Uint8Array ? null : new WatchedSource(body.bytes);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = this.#open(call);
    const lost = (cause: unknown): void => {
      const isStale = body === undefined && outgoing.reusedSocket && codeOf(cause) === "ECONNRESET";
      if (isStale) resolve(this.call(call));
      else reject(source?.failure ?? (cause instanceof SluiceError ? cause : this.#unreachable(cause)));
    };
    outgoing.on("error", lost);
    outgoing.on("response", (answer) => {
      const status = answer.statusCode ?? 0;
      if ((status >= 200 && status < 300) || accept.includes(status)) resolve(answer);
      else failureOf(answer, `${method} ${path}`).then(reject, lost);
    });
    if (source !== null) {
      // The server may answer before it has read everything: that answer, not the broken pipe, is what the caller must see.
      const chunks = Readable.from(source, { objectMode: false, highWaterMark: 256 * 1024 });
      pipeline(chunks, outgoing).catch((error) => setTimeout(lost, LATE_ANSWER_MS, error));
    } else outgoing.end(body?.bytes);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }

  get #isSecure(): boolean {
    return this.#endpoint.protocol === "https:";
  }

  #open({ method, path, query = [], headers = {}, body }: S3Call): ClientRequest {
    const sized = body === undefined ? headers : { ...headers, "content-length": String(body.sizeBytes) };
    const { accessKey, secretKey, region = "us-east-1", idleMs = DEFAULT_IDLE_MS } = this.#options;
    const signed = signRequest(
      { method, host: this.#endpoint.host, path, query, headers: sized },
      { credentials: { accessKeyId: accessKey, secretKey }, region, at: Date.now() },
    );
    const send = this.#isSecure ? httpsRequest : httpRequest;
    const outgoing = send({
      agent: this.#agent,
      method,
      host: this.#endpoint.hostname.replace(/^\[|\]$/g, ""),
      port: this.#endpoint.port,
      path: requestTarget(path, query),
      headers: signed,
    });
    return outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error("nothing came for too long")));
  }

  #unreachable(cause: unknown): SluiceError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new SluiceError(
      "UNREACHABLE",
      `Cannot reach the object store at ${this.#options.endpoint}: ${why} (start it with: npx sluice up)`,
      { cause },
    );
  }
}

/** A source whose own failure is kept: it takes the connection with it, which then fails for a reason that is none. */
class WatchedSource {
  failure: unknown;
  readonly #bytes: AsyncIterable<Uint8Array>;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#bytes = bytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#bytes;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}

const codeOf = (cause: unknown): unknown => (cause instanceof Error && "code" in cause ? cause.code : undefined);
