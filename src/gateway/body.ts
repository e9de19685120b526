import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { SluiceError } from "../core/errors.ts";

/** Largest JSON body: a thousand definitions with their scripts fit. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** Deeper JSON than any definition has is made to exhaust somebody's stack. */
const MAX_JSON_DEPTH = 64;

/** Reads a whole body as JSON. `strict` asks for a JSON content type (or none); without it any is taken, as OSCAR does.
 *  @throws SluiceError MEDIA_TYPE_UNSUPPORTED, BODY_TOO_LARGE, BODY_TRUNCATED, REQUEST_INVALID */
export async function readJsonBody(
  body: Readable,
  headers: IncomingHttpHeaders,
  options: { readonly strict: boolean },
): Promise<unknown> {
  if (options.strict) checkJsonType(headers["content-type"]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of boundedBody(body, headers, MAX_JSON_BYTES)) chunks.push(chunk);
  return parseJson(decodeUtf8(Buffer.concat(chunks)));
}

function checkJsonType(contentType: string | undefined): void {
  if (contentType === undefined || /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)) return;
  throw new SluiceError(
    "MEDIA_TYPE_UNSUPPORTED",
    "Cannot read the body: this call takes JSON (send Content-Type: application/json)",
  );
}

/** The chunks of a body, ended by an error as soon as it is too large or breaks off.
 *  @throws SluiceError BODY_TOO_LARGE, BODY_TRUNCATED */
export async function* boundedBody(
  body: Readable,
  headers: IncomingHttpHeaders,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  if (Number(headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  let received = 0;
  try {
    for await (const chunk of body) {
      received += chunk.length;
      if (received > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("BODY_TRUNCATED", "Cannot read the body: the connection ended before all of it arrived", {
      cause: error,
    });
  }
}

const tooLarge = (maxBytes: number): SluiceError =>
  new SluiceError(
    "BODY_TOO_LARGE",
    `Cannot take the body: it has more than ${maxBytes} bytes, the most that this call accepts (put larger files in a bucket)`,
  );

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SluiceError("REQUEST_INVALID", "Cannot read the body: it is not UTF-8", { cause });
  }
}

/** JSON of strangers: no `__proto__` keys, no deep nesting.
 *  @throws SluiceError REQUEST_INVALID */
function parseJson(text: string): unknown {
  if (text.trim() === "") throw new SluiceError("REQUEST_INVALID", "Cannot read the body: it is empty (send JSON)");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof SyntaxError ? where(cause.message) : "";
    throw new SluiceError("REQUEST_INVALID", `Cannot read the body: it is not JSON${why}`, { cause });
  }
  checkShape(value);
  return value;
}

/** V8's message quotes the text, which may hold a secret; only the place is told. */
function where(message: string): string {
  const place = /at position (\d+)/.exec(message);
  return place === null ? "" : ` (look at character ${place[1]})`;
}

function checkShape(root: unknown): void {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { value, depth } = item;
    if (typeof value !== "object" || value === null) continue;
    if (depth > MAX_JSON_DEPTH) {
      throw new SluiceError(
        "REQUEST_INVALID",
        `Cannot read the body: it is nested deeper than ${MAX_JSON_DEPTH} levels`,
      );
    }
    if (Object.hasOwn(value, "__proto__")) {
      throw new SluiceError("REQUEST_INVALID", 'Cannot read the body: "__proto__" is no key of anything here');
    }
    for (const inner of Object.values(value)) open.push({ value: inner, depth: depth + 1 });
  }
}
