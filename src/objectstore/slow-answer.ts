import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../lib/log.ts";
import { answerXml, failureDocument, loggedFailure } from "./answer.ts";

/** How long a client waits in silence before it hears that the work goes on; clients give up after a minute or so. */
const SILENCE_MS = 10_000;
/** What of a call is needed. */
interface Exchange {
  readonly request: { readonly message: IncomingMessage };
  readonly response: ServerResponse;
  readonly deps: { readonly log: Log };
}

const DECLARATION = /^<\?xml[^>]*\?>\n?/;

/** Answers with the document that `work` makes. While that takes long, spaces are sent, which XML ignores: the status is then out before the
 *  end is known, and a failure comes as an error document in a 200 answer. S3 does the same, and its clients look for it.
 *  @param silenceMs default 10 s */
export async function answerWhenDone(
  call: Exchange,
  work: Promise<string>,
  headers: readonly string[] = [],
  silenceMs = SILENCE_MS,
): Promise<void> {
  const { response } = call;
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
    response.end(lateError(call, error));
  } finally {
    clearInterval(timer);
  }
}

function lateError({ request, response, deps }: Exchange, error: unknown): string {
  const failure = loggedFailure(request.message, error, deps.log);
  return failureDocument(request.message, response, failure).replace(DECLARATION, "");
}
