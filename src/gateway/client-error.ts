import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { SluiceError } from "../core/errors.ts";
import { STATUS_CODES } from "../lib/node-http.ts";
import { problemOf } from "./error-answers.ts";

/** What Node's parser could not make a request of, by the code of its error. */
const KINDS: Readonly<Record<string, { readonly status: number; readonly why: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, why: "its headers are larger than 16 KiB" },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, why: "it did not arrive in time" },
};
const MALFORMED = { status: 400, why: "it is not well-formed HTTP" };

/** Answers a request that never became one, and ends its connection. */
export function onClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, why } = KINDS[error.code ?? ""] ?? MALFORMED;
  const known = new SluiceError("REQUEST_INVALID", `Cannot read the request: ${why}`);
  const body = JSON.stringify(problemOf(known, status, randomUUID()));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n` +
      `x-content-type-options: nosniff\r\nsluice-error-code: ${known.code}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
