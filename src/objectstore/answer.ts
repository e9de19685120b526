import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../lib/log.ts";
import { type S3Failure, toS3Failure } from "../s3/errors.ts";
import { errorDocument } from "../s3/xml-write.ts";

/** How long the rest of a refused body is read and thrown away, so that its sender, who may not listen before it has sent all, gets the
 *  answer instead of a reset connection. */
const DRAIN_MS = 10_000;

/** Sends a small XML document. */
export function answerXml(
  response: ServerResponse,
  status: number,
  document: string,
  headers: readonly string[] = [],
): void {
  const body = Buffer.from(document, "utf8");
  response.writeHead(status, [...headers, "Content-Type", "application/xml", "Content-Length", String(body.length)]);
  response.end(body);
}

/** Sends an answer without a body. */
export function answerEmpty(response: ServerResponse, status: number, headers: readonly string[] = []): void {
  const length = status === 204 || status === 304 ? [] : ["Content-Length", "0"];
  response.writeHead(status, [...headers, ...length]);
  response.end();
}

/** Sends an error in S3's form, whatever state the request is in: an answer that has begun can only be cut off, and a body that is still
 *  coming is drained for a while. */
export function answerError(message: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  const failure = loggedFailure(message, error, log);
  if (response.destroyed || response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const headers = failureHeaders(failure.status, failure.fields);
  if (neverContinued(message, response)) headers.push("Connection", "close");
  if (message.method === "HEAD" || failure.status === 304) answerEmpty(response, failure.status, headers);
  else answerXml(response, failure.status, failureDocument(message, response, failure), headers);
  drain(message);
}

/** The error as S3 says it; what is the server's own fault is logged. */
export function loggedFailure(message: IncomingMessage, error: unknown, log: Log): S3Failure {
  const failure = toS3Failure(error);
  if (failure.status >= 500 && failure.code !== "NotImplemented") {
    log.error("S3 request failed", { method: message.method, status: failure.status, code: failure.code, error });
  }
  return failure;
}

function failureHeaders(status: number, fields: Readonly<Record<string, string>>): string[] {
  if (status === 503 || status === 429) return ["Retry-After", "1"];
  if (status === 416) return ["Content-Range", `bytes */${fields.ActualObjectSize ?? 0}`];
  return [];
}

export function failureDocument(message: IncomingMessage, response: ServerResponse, failure: S3Failure): string {
  return errorDocument({
    Code: failure.code,
    Message: failure.message,
    ...failure.fields,
    Resource: (message.url ?? "").split("?", 1)[0] ?? "",
    RequestId: String(response.getHeader("x-amz-request-id") ?? ""),
    HostId: String(response.getHeader("x-amz-id-2") ?? ""),
  });
}

/** A client that asked for 100 Continue and got an error will not send its body: its connection cannot be used for another request. */
function neverContinued(message: IncomingMessage, response: ServerResponse): boolean {
  return message.headers.expect !== undefined && !hasContinued(response);
}

const continued = new WeakSet<ServerResponse>();

/** Tells a waiting client to send its body, once. */
export function continueBody(message: IncomingMessage, response: ServerResponse): void {
  if (message.headers.expect === undefined || hasContinued(response)) return;
  continued.add(response);
  response.writeContinue();
}

function hasContinued(response: ServerResponse): boolean {
  return continued.has(response);
}

function drain(message: IncomingMessage): void {
  if (message.complete || message.destroyed) return;
  message.resume();
  const timer = setTimeout(() => message.destroy(), DRAIN_MS);
  timer.unref();
  message.once("close", () => clearTimeout(timer));
}
