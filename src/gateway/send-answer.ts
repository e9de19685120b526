import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FastifyReply } from "fastify";
import type { Answer } from "./route.ts";

/** On every answer: nothing of this API belongs in another page, in a cache, or under a guessed content type. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** What users made gets an origin of its own in a browser: no scripts, no cookies, no credentials of ours. */
const USER_MADE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'";

function answerHeaders(answer: Answer, requestId: string): Record<string, string | string[]> {
  const type = contentTypeOf(answer);
  return {
    ...SECURITY_HEADERS,
    ...(answer.userMade === true ? { "content-security-policy": USER_MADE_POLICY } : {}),
    ...(type === null ? {} : { "content-type": type }),
    "request-id": requestId,
    ...answer.headers,
  };
}

function contentTypeOf(answer: Answer): string | null {
  if (answer.json !== undefined) return `${answer.contentType ?? "application/json"}; charset=utf-8`;
  if (answer.text === undefined && answer.stream === undefined) return null;
  return answer.contentType ?? "text/plain; charset=utf-8";
}

/** Sends an answer that is complete. */
export function sendWhole(reply: FastifyReply, answer: Answer, requestId: string): FastifyReply {
  reply.code(answer.status).headers(answerHeaders(answer, requestId));
  if (answer.json !== undefined) return reply.send(JSON.stringify(answer.json));
  return reply.send(answer.text);
}

/** What a pipe says when its reader has left, or was told to. */
function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return ["ABORT_ERR", "ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE"].includes(String(code));
}

/** The head of a streamed answer alone, for HEAD. */
export function endStream(reply: FastifyReply, answer: Answer, requestId: string): void {
  reply.hijack();
  reply.raw.writeHead(answer.status, answerHeaders(answer, requestId)).end();
}

/** Sends what a stream gives until it ends or `signal` aborts. Headers go at once, since the first byte may take long; a source is read only as
 *  fast as the socket takes it. A source that fails cuts the connection, so that nobody takes half an answer for a whole one.
 *  @throws what the source threw */
export async function sendStream(
  reply: FastifyReply,
  answer: Answer & { readonly stream: AsyncIterable<Uint8Array | string> },
  requestId: string,
  signal: AbortSignal,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(answer.status, answerHeaders(answer, requestId));
  raw.flushHeaders();
  try {
    await pipeline(Readable.from(answer.stream, { objectMode: false, highWaterMark: 64 * 1024 }), raw, { signal });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
