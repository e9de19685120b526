import { describe, expect, it } from "vitest";
import { objectCreatedPayload } from "../core/event-payload.ts";
import { recogniseEvent } from "./recognise-event.ts";

const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

const record = (over: Record<string, unknown> = {}) => ({
  eventVersion: "2.1",
  eventSource: "aws:s3",
  awsRegion: "eu-west-1",
  eventTime: "2026-02-03T04:05:06.789Z",
  eventName: "ObjectCreated:Put",
  s3: { bucket: { name: "photos" }, object: { key: "in/a+cat%C3%A9.jpg", size: 12, sequencer: "0055AED6DCD90281E5" } },
  ...over,
});

describe("storage notifications", () => {
  it("reads every record, with the key decoded", () => {
    const second = record({ s3: { bucket: { name: "photos" }, object: { key: "in/1%2B1%3D2" } } });
    const found = recogniseEvent(bytes({ Records: [record(), second] }));
    expect(found).toMatchObject({
      kind: "objects",
      records: [
        { source: "s3", bucket: "photos", key: "in/a caté.jpg", time: Date.UTC(2026, 1, 3, 4, 5, 6, 789) },
        { source: "s3", bucket: "photos", key: "in/1+1=2" },
      ],
    });
  });

  it("gives each job its own record and MinIO's copies at the top", () => {
    const first = record({ eventSource: "minio:s3", eventName: "s3:ObjectCreated:Put" });
    const second = record({
      eventSource: "minio:s3",
      eventName: "s3:ObjectCreated:Copy",
      s3: { bucket: { name: "photos" }, object: { key: "in/b.jpg" } },
    });
    const event = { EventName: "s3:ObjectCreated:Put", Key: "photos/in/a caté.jpg", Records: [first, second] };
    const found = recogniseEvent(bytes(event));
    if (found.kind !== "objects") throw new Error(found.kind);
    expect(found.records.map(({ payload }) => JSON.parse(payload))).toEqual([
      { EventName: "s3:ObjectCreated:Put", Key: "photos/in/a caté.jpg", Records: [first] },
      { EventName: "s3:ObjectCreated:Copy", Key: "photos/in/b.jpg", Records: [second] },
    ]);
  });

  it("knows the events that this server itself makes", () => {
    const object = { bucket: "b", key: "x y/ü+%.txt", versionSeq: 7, etag: "e", sizeBytes: 1 };
    const found = recogniseEvent(bytes(objectCreatedPayload(object, 1_700_000_000_000, "ada")));
    expect(found).toMatchObject({
      kind: "objects",
      records: [{ source: "minio", bucket: "b", key: "x y/ü+%.txt", time: 1_700_000_000_000 }],
    });
  });

  it("takes a record without a name or a time for an arrival", () => {
    const bare = { eventSource: "minio:s3", s3: { bucket: { name: "images" }, object: { key: "n.jpg" } } };
    expect(recogniseEvent(bytes({ Records: [bare] }))).toMatchObject({
      kind: "objects",
      records: [{ bucket: "images", key: "n.jpg", time: null }],
    });
  });

  it.each([
    ["of AWS", { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "photos" }],
    ["of MinIO", { EventName: "s3:TestEvent", Records: null }],
    ["in a record", { Records: [record({ eventName: "s3:TestEvent" })] }],
    ["of removals only", { Records: [record({ eventName: "ObjectRemoved:Delete" })] }],
  ])("asks for nothing: test events and removals, %s", (_, event) => {
    expect(recogniseEvent(bytes(event))).toEqual({ kind: "nothing" });
  });

  it("leaves removals out between arrivals", () => {
    const found = recogniseEvent(bytes({ Records: [record({ eventName: "s3:ObjectRemoved:Delete" }), record()] }));
    expect(found).toMatchObject({ kind: "objects", records: [{ key: "in/a caté.jpg" }] });
    expect(found.kind === "objects" && found.records.length).toBe(1);
  });
});

describe("everything else is a body", () => {
  it.each([
    ["plain text", "hello world"],
    ["text that looks like base64", "test"],
    ["nothing", ""],
    ["cut JSON", '{"Records":[{"eventSource":"aws:s3"'],
    ["bytes that are not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d)],
  ])("not JSON: %s", (_, body) => {
    expect(recogniseEvent(typeof body === "string" ? bytes(body) : body)).toEqual({ kind: "body", json: false });
  });

  it.each([
    ["a number", 123],
    ["null", null],
    ["a list", [record()]],
    ["an object with an event key", { event: "mine" }],
    ["a source nobody knows", { Records: [record({ eventSource: "narnia" })] }],
    ["a source from the prototype", { Records: [record({ eventSource: "constructor" })] }],
    ["no records", { Records: [] }],
    ["records that are no list", { Records: { length: 1, 0: record() } }],
    ["records that are no objects", { Records: [null, "x", 1] }],
    ["one good record and one broken", { Records: [record(), { eventSource: "aws:s3" }] }],
    ["a bucket that is no text", { Records: [record({ s3: { bucket: { name: 7 }, object: { key: "k" } } })] }],
    ["a key that is no text", { Records: [record({ s3: { bucket: { name: "b" }, object: { key: ["k"] } } })] }],
    [
      "a key that is badly encoded",
      { Records: [record({ s3: { bucket: { name: "b" }, object: { key: "%E0%A4%A" } } })] },
    ],
    ["s3 that is null", { Records: [record({ s3: null })] }],
  ])("JSON: %s", (_, body) => {
    expect(recogniseEvent(bytes(body))).toEqual({ kind: "body", json: true });
  });

  it("survives JSON that is nested without end", () => {
    const deep = "[".repeat(500_000);
    expect(recogniseEvent(bytes(deep))).toEqual({ kind: "body", json: false });
    expect(recogniseEvent(bytes(`${deep}${"]".repeat(500_000)}`)).kind).toBe("body");
  });

  it("keeps a __proto__ key from becoming a prototype", () => {
    const text = `{"__proto__":{"Event":"s3:TestEvent"},"Records":[${JSON.stringify(record())}]}`;
    const found = recogniseEvent(bytes(text));
    expect(found.kind).toBe("objects");
    expect(({} as { Event?: string }).Event).toBeUndefined();
  });
});
