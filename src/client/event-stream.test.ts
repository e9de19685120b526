import { describe, expect, it } from "vitest";
import { readEventStream, type StreamEvent } from "./event-stream.ts";

const STREAM = [
  ": a comment\n",
  "retry: 1000\n\n",
  'id: 1\nevent: job.failed\ndata: {"a":"ü😀"}\n\n',
  ": heartbeat\nid: 2\n\n",
  "data: one\r\ndata:two\r\n\r\n",
  "event\ndata\n\n",
  "event: cut\ndata: never ended",
].join("");

const EVENTS: StreamEvent[] = [
  { event: "job.failed", data: '{"a":"ü😀"}' },
  { event: "message", data: "one\ntwo" },
  { event: "message", data: "" },
];

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: AsyncIterable<Uint8Array>): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of readEventStream(bytes)) events.push(event);
  return events;
}

describe("a stream", () => {
  it.each([1, 2, 3, 7, 64, 10_000])("is read the same in pieces of %i bytes", async (size) => {
    expect(await read(inPieces(STREAM, size))).toEqual(EVENTS);
  });

  it("may end its lines with CR alone", async () => {
    expect(await read(inPieces("data: a\rdata: b\r\r\r", 100))).toEqual([{ event: "message", data: "a\nb" }]);
  });

  it("with a line that has no end is given up", async () => {
    const endless = async function* () {
      for (;;) yield new Uint8Array(1024 * 1024).fill(0x61);
    };
    await expect(read(endless())).rejects.toThrow("too long");
  });
});
