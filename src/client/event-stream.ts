/** One event of a stream. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** More than this without an end of line is no event of ours. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** Reads server-sent events out of bytes, however these are cut. Comments and blocks without data are passed over.
 *  @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export async function* readEventStream(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  let event = "";
  let data: string[] = [];
  for await (const line of linesOf(bytes)) {
    if (line === "") {
      if (data.length > 0) yield { event: event === "" ? "message" : event, data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
}

/** Lines end in CR LF, LF or CR; the last one counts only when it is ended. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be the first half of a CR LF.
    const lines = rest.split(/\r\n|\n|\r(?=[^\n])/);
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > LONGEST_LINE) throw new Error("an event is too long");
  }
}
