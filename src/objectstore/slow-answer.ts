import type { ServerResponse } from "node:http";
import { toS3Failure } from "../s3/errors.ts";
import { errorDocument } from "../s3/xml-write.ts";
import { answerXml } from "./answer.ts";

/** How long a client waits in silence before it hears that the work goes on; clients give up after a minute or so. */
const SILENCE_MS = 10_000;
const DECLARATION = /^<\?xml[^>]*\?>\n?/;

/** Answers with the document that `work` makes. While that takes long, spaces are sent, which XML ignores: the status is then out before the
 *  end is known, and a failure comes as an error document in a 200 answer. S3 does the same, and its clients look for it.
 *  @param silenceMs default 10 s */
export async function answerWhenDone(
  response: ServerResponse,
  work: Promise<string>,
  headers: readonly string[] = [],
  silenceMs = SILENCE_MS,
): Promise<void> {
  let begun = false;
  const timer = setInterval(() => {
    if (begun) response.write(" ");
    else {
      begun = true;
      response.writeHead(200, [...headers, "Content-Type", "application/xml"]);
      response.write('<?xml version="1.0" encoding="UTF-8"?>\n');
    }
  }, silenceMs);
  try {
    const document = await work;
    if (begun) response.end(document.replace(DECLARATION, ""));
    else answerXml(response, 200, document, headers);
  } catch (error) {
    if (!begun) throw error;
    response.end(lateError(response, error));
  } finally {
    clearInterval(timer);
  }
}

function lateError(response: ServerResponse, error: unknown): string {
  const { code, message, fields } = toS3Failure(error);
  const RequestId = String(response.getHeader("x-amz-request-id") ?? "");
  return errorDocument({ Code: code, Message: message, ...fields, RequestId }).replace(DECLARATION, "");
}
