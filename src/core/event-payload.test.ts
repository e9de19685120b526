import { expect, it } from "vitest";
import { objectCreatedPayload } from "./event-payload.ts";

it("writes MinIO's notification: key encoded in the record, plain at the top", () => {
  const object = { bucket: "photos", key: "in/my cat+1 é.jpg", versionSeq: 255, etag: "abc", sizeBytes: 7 };
  const event = JSON.parse(objectCreatedPayload(object, 0, "cluster_admin"));
  expect(event).toMatchObject({
    EventName: "s3:ObjectCreated:Put",
    Key: "photos/in/my cat+1 é.jpg",
    Records: [{ eventSource: "minio:s3", eventTime: "1970-01-01T00:00:00.000Z", s3: { bucket: { name: "photos" } } }],
  });
  const record = event.Records[0].s3.object;
  expect(record).toEqual({ key: "in/my+cat%2B1+%C3%A9.jpg", size: 7, eTag: "abc", sequencer: "00000000000000FF" });
  expect(decodeURIComponent(record.key.replaceAll("+", " "))).toBe(object.key);
});
