import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Log } from "../lib/log.ts";
import { s3Error, toS3Failure } from "../s3/errors.ts";
import { errorDocument } from "../s3/xml-write.ts";
import { answerError } from "./answer.ts";

interface Exchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
}

/** What happens to connections when a request does not go as HTTP should: silence, broken framing, an early end.
 *
 *  Silence: a connection on which no byte moves either way for the idle time ends. A slow but moving body or reader is fine, however long it
 *  takes. While the server itself is at work (the body has come, the answer has not begun: fsync, commit) silence is its own fault and waits. */
export class Connections {
  readonly #current = new WeakMap<Socket, Exchange>();
  readonly #log: Log;

  constructor(server: Server, idleTimeoutMs: number, log: Log) {
    this.#log = log;
    server.timeout = idleTimeoutMs;
    server.on("timeout", (socket) => this.#idle(socket));
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#broken(error, socket as Socket));
  }

  /** Remembers which request a connection is busy with. */
  enter(message: IncomingMessage, response: ServerResponse): void {
    const { socket } = message;
    this.#current.set(socket, { message, response });
    response.once("close", () => this.#current.delete(socket));
  }

  #idle(socket: Socket): void {
    const exchange = this.#current.get(socket);
    if (exchange === undefined) {
      socket.destroy();
      return;
    }
    const { message, response } = exchange;
    if (message.complete && !response.headersSent) return;
    if (response.headersSent) {
      socket.destroy();
      return;
    }
    // Node forgets a request once it is answered: its body's reader would wait for ever if the request were not ended too.
    response.once("finish", () => message.destroy());
    const error = s3Error("RequestTimeout", "Cannot store the body: no byte of it came for too long");
    answerError(message, response, error, this.#log);
  }

  /** Node's parser gave up on the connection. A request whose body was cut short gets its answer here: its own stream only sees an abort,
   *  and the sender may still be listening. */
  #broken(error: NodeJS.ErrnoException, socket: Socket): void {
    const exchange = this.#current.get(socket);
    if (error.code === "ECONNRESET" || !socket.writable || exchange?.response.headersSent === true) {
      socket.destroy();
      return;
    }
    socket.end(rawAnswer(exchange === undefined ? outsideRequest(error) : bodyCut()));
  }
}

function bodyCut(): Error {
  return s3Error("IncompleteBody", "Cannot store the body: the connection ended before all of it had come");
}

function outsideRequest(error: NodeJS.ErrnoException): Error {
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return s3Error("RequestHeaderSectionTooLarge", "Cannot read the request: its headers are too long");
  }
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return s3Error("RequestTimeout", "Cannot read the request: its headers did not come in time");
  }
  return s3Error("BadRequest", "Cannot read the request: it is not valid HTTP");
}

function rawAnswer(error: Error): string {
  const { code, status, message } = toS3Failure(error);
  const body = errorDocument({ Code: code, Message: message });
  return (
    `HTTP/1.1 ${status} ${code}\r\nContent-Type: application/xml\r\nConnection: close\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}
