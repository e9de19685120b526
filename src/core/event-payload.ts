import type { EventObject } from "./file-event.ts";

/** The event of a new object as the script sees it: MinIO's notification JSON, which OSCAR's scripts know. Keys are URL-encoded
 *  (space as `+`), as S3 and MinIO do.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
export function objectCreatedPayload(object: EventObject, time: number, owner: string): string {
  const encoded = encodeURIComponent(object.key).replaceAll("%20", "+").replaceAll("%2F", "/");
  const record = {
    eventVersion: "2.0",
    eventSource: "minio:s3",
    awsRegion: "us-east-1",
    eventTime: new Date(time).toISOString(),
    eventName: "s3:ObjectCreated:Put",
    userIdentity: { principalId: owner },
    s3: {
      s3SchemaVersion: "1.0",
      configurationId: "Config",
      bucket: {
        name: object.bucket,
        ownerIdentity: { principalId: owner },
        arn: `arn:aws:s3:::${object.bucket}`,
      },
      object: {
        key: encoded,
        size: object.sizeBytes,
        eTag: object.etag,
        sequencer: object.versionSeq.toString(16).toUpperCase().padStart(16, "0"),
      },
    },
  };
  return JSON.stringify({
    EventName: record.eventName,
    Key: `${object.bucket}/${object.key}`,
    Records: [record],
  });
}
