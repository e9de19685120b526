import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SluiceError } from "../../core/errors.ts";
import { AS, ATTEMPT_LINEAGE, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { serviceRecord } from "../testing/fake-state.ts";
import { NOW, objectOf, specOf } from "../testing/samples.ts";

let server: FakeServer;
const start = (...over: Parameters<typeof fakeServer>): void => {
  server = fakeServer(...over);
  const { services, buckets, objects } = server.state.tables;
  services.set("thumbs", serviceRecord(specOf("thumbs"), "ada"));
  buckets.set("photos", { name: "photos", owner: "ada", createdAt: NOW, versioning: "off" });
  buckets.set("secrets", { name: "secrets", owner: "bob", createdAt: NOW, versioning: "off" });
  objects.set("photos/in/a b.jpg", objectOf("photos", "in/a b.jpg", { versionSeq: 9 }));
  objects.set("photos/in/c.jpg", objectOf("photos", "in/c.jpg"));
  objects.set("secrets/x", objectOf("secrets", "x", { owner: "bob" }));
};
beforeEach(() => start());
afterEach(() => server.close());

const post = (payload: string | Buffer | Readable, who: keyof typeof AS = "serviceToken", more = {}) =>
  server.inject({ method: "POST", url: "/job/thumbs?run=monday", payload, headers: { ...AS[who], ...more } });

const record = (bucket: string, key: string, more = {}) => ({
  eventSource: "minio:s3",
  eventName: "s3:ObjectCreated:Put",
  eventTime: "2026-02-03T04:05:06.000Z",
  s3: { bucket: { name: bucket }, object: { key } },
  ...more,
});
const notification = (...records: unknown[]) => JSON.stringify({ EventName: "s3:ObjectCreated:Put", Records: records });

describe("a body that is no event", () => {
  it.each([
    ["text", "hello world"],
    ["text that looks like base64", "test"],
    ["a JSON scalar", "123"],
    ["JSON with an event key", '{"event":"x"}'],
    ["binary", Buffer.from([0, 255, 1, 2])],
    ["nothing", ""],
  ])("is the input, byte for byte: %s", async (_, payload) => {
    const response = await post(payload);
    expect([response.statusCode, response.body]).toEqual([201, ""]);
    const [submission] = server.submitted;
    expect(server.staged.get(submission?.body?.blobId ?? "")).toEqual(Buffer.from(payload));
    expect(submission?.event).toMatchObject({ source: "http", object: null, hops: 0, time: NOW, parentJobId: null });
    expect(submission?.event.rootId).toBe(submission?.event.id);
    expect(submission).toMatchObject({ service: "thumbs", runName: "monday" });
  });

  it("answers where the job is, which OSCAR does not", async () => {
    const { headers } = await post("x");
    expect(headers["job-id"]).toBe("thumbs-1");
    expect(headers.location).toBe("/system/jobs/thumbs-1");
    expect(headers["job-count"]).toBe("1");
  });

  it("is EVENT itself when it is short JSON, else described", async () => {
    await post('{"mine":1}');
    await post("text", "ada", { "content-type": "text/plain" });
    await post(`"${"x".repeat(70_000)}"`);
    const payloads = server.submitted.map(({ event }) => event.payload);
    expect(payloads[0]).toBe('{"mine":1}');
    expect(JSON.parse(payloads[1] ?? "")).toEqual({ source: "http", content_type: "text/plain", size_bytes: 4 });
    expect(JSON.parse(payloads[2] ?? "")).toEqual({ source: "http", content_type: null, size_bytes: 70_002 });
  });

  it("may be large, and is then not looked at", async () => {
    const big = Buffer.concat([Buffer.from(notification(record("photos", "in/c.jpg"))), Buffer.alloc(3 << 20, " ")]);
    await post(Readable.from([big.subarray(0, 1 << 20), big.subarray(1 << 20)]));
    expect(server.submitted).toHaveLength(1);
    expect(server.submitted[0]?.event.object).toBeNull();
    expect(server.staged.get("blob-1")?.equals(big)).toBe(true);
  });

  it("has a limit, told or found on the way, and makes no job beyond it", async () => {
    await server.close();
    start({ facts: { maxEventBytes: 10 } });
    for (const payload of ["01234567890", Readable.from(["0123456", "7890"])]) {
      const response = await post(payload);
      expect(response.statusCode).toBe(413);
      expect(response.headers["sluice-error-code"]).toBe("BODY_TOO_LARGE");
    }
    expect(server.submitted).toEqual([]);
    expect((await post("0123456789")).statusCode).toBe(201);
  });

  it("leaves no blob behind when the job is refused", async () => {
    server.deps.jobs.submit = async () => {
      throw new SluiceError("STOPPING", "Cannot take new work: the server is stopping");
    };
    const response = await post("x");
    expect(response.statusCode).toBe(503);
    expect(server.discarded).toEqual(["blob-1"]);
  });

  it("carries the chain of the job whose token sent it", async () => {
    await post("x", "attemptToken");
    expect(server.submitted[0]?.event).toMatchObject({
      rootId: ATTEMPT_LINEAGE.rootId,
      parentJobId: ATTEMPT_LINEAGE.parentJobId,
      hops: ATTEMPT_LINEAGE.hops + 1,
    });
  });
});

describe("a notification", () => {
  it("of objects here makes a job for each record, on the stored version", async () => {
    const response = await post(notification(record("photos", "in/a+b.jpg"), record("photos", "in/c.jpg")));
    expect(response.headers["job-id"]).toBe("thumbs-1,thumbs-2");
    expect(server.submitted.map(({ event, body }) => ({ object: event.object, body, time: event.time }))).toEqual([
      {
        object: { bucket: "photos", key: "in/a b.jpg", versionSeq: 9, etag: objectOf("", "").etag, sizeBytes: 3 },
        body: null,
        time: Date.UTC(2026, 1, 3, 4, 5, 6),
      },
      expect.objectContaining({ object: expect.objectContaining({ key: "in/c.jpg", versionSeq: 1 }) }),
    ]);
    expect(server.staged.size).toBe(0);
  });

  it.each([
    ["a test", JSON.stringify({ Service: "Amazon S3", Event: "s3:TestEvent" })],
    ["a removal", notification(record("photos", "in/c.jpg", { eventName: "s3:ObjectRemoved:Delete" }))],
  ])("of %s is acknowledged without a job", async (_, payload) => {
    const response = await post(payload);
    expect([response.statusCode, response.headers["job-count"]]).toEqual([201, "0"]);
    expect(response.headers.location).toBeUndefined();
    expect(server.submitted).toEqual([]);
  });

  it("of an object that has gone is 404, and no record of it makes a job", async () => {
    const response = await post(notification(record("photos", "in/c.jpg"), record("photos", "in/gone.jpg")));
    expect(response.statusCode).toBe(404);
    expect(response.headers["sluice-error-code"]).toBe("OBJECT_UNKNOWN");
    expect(response.body).toContain("in/gone.jpg");
    expect(server.submitted).toEqual([]);
  });

  it("of another store is the input, as the script is the only one who knows it", async () => {
    const payload = notification(record("elsewhere", "k", { eventSource: "aws:s3" }));
    await post(payload);
    expect(server.submitted[0]?.event).toMatchObject({ object: null, payload });
    expect(server.staged.get("blob-1")?.toString()).toBe(payload);
  });

  it("of a bucket of somebody else is like one of another store", async () => {
    await post(notification(record("secrets", "x")));
    await post(notification(record("secrets", "x")), "ada");
    expect(server.submitted.map(({ event }) => event.object)).toEqual([null, null]);
    await post(notification(record("secrets", "x")), "admin");
    expect(server.submitted[2]?.event.object?.key).toBe("x");
  });

  it("of too many records is refused", async () => {
    const many = Array.from({ length: 1001 }, () => record("photos", "in/c.jpg"));
    expect((await post(notification(...many))).statusCode).toBe(400);
    expect(server.submitted).toEqual([]);
  });

  it("of many records makes their jobs in order", async () => {
    const keys = Array.from({ length: 150 }, (_, n) => (n % 7 === 0 ? "in/a b.jpg" : "in/c.jpg"));
    await post(notification(...keys.map((key) => record("photos", encodeURIComponent(key)))));
    expect(server.submitted.map(({ event }) => event.object?.key)).toEqual(keys);
  });

  it("of many records names the first hundred jobs", async () => {
    const many = Array.from({ length: 150 }, () => record("photos", "in/c.jpg"));
    const { headers } = await post(notification(...many));
    expect(headers["job-count"]).toBe("150");
    expect(String(headers["job-id"]).split(",")).toHaveLength(100);
  });
});

it("knows no other service", async () => {
  const response = await server.inject({ method: "POST", url: "/job/other", payload: "x", headers: AS.serviceToken });
  expect([response.statusCode, response.headers["sluice-error-code"]]).toEqual([404, "SERVICE_UNKNOWN"]);
});

it("takes Basic credentials too, which OSCAR refuses", async () => {
  expect((await post("x", "admin")).statusCode).toBe(201);
});
