/** One object that a storage system says has arrived. */
export interface ObjectRecord {
  readonly source: "s3" | "minio";
  readonly bucket: string;
  /** Decoded. */
  readonly key: string;
  /** When it happened by the notifying system's clock, UTC ms; null when it does not say. */
  readonly time: number | null;
  /** The event with this record alone: what the script of its job sees. */
  readonly payload: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

const SOURCES: ReadonlyMap<unknown, ObjectRecord["source"]> = new Map([
  ["aws:s3", "s3"],
  ["minio:s3", "minio"],
]);
const TEST_EVENT = "s3:TestEvent";

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** True for what S3 and MinIO send to see whether somebody listens. */
export function isTestEvent(event: JsonObject): boolean {
  if (event.Event === TEST_EVENT || event.EventName === TEST_EVENT) return true;
  return records(event)?.every((record) => record.eventName === TEST_EVENT) ?? false;
}

/** The arrivals that an S3 or MinIO notification names: every record, not the first alone. Records of removals and the like are left out.
 *  Null when it is no such notification: a record without source, bucket or key, or with a key that is not URL-encoded UTF-8.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
export function objectRecords(event: JsonObject): ObjectRecord[] | null {
  const read = records(event)?.map((record) => objectRecord(event, record));
  if (read === undefined || read.includes(null)) return null;
  return read.filter((record): record is ObjectRecord => record !== null && record !== "no arrival");
}

/** Undefined when there is no list of records, or something in it is none. */
function records(event: JsonObject): readonly JsonObject[] | undefined {
  const { Records: list } = event;
  return Array.isArray(list) && list.length > 0 && list.every(isObject) ? list : undefined;
}

function objectRecord(event: JsonObject, record: JsonObject): ObjectRecord | "no arrival" | null {
  const source = SOURCES.get(record.eventSource);
  const s3 = isObject(record.s3) ? record.s3 : {};
  const bucket = isObject(s3.bucket) ? s3.bucket.name : undefined;
  const encoded = isObject(s3.object) ? s3.object.key : undefined;
  if (source === undefined || typeof bucket !== "string" || typeof encoded !== "string") return null;
  const key = decodeKey(encoded);
  if (key === null) return null;
  if (!isArrival(record.eventName)) return "no arrival";
  return { source, bucket, key, time: timeOf(record), payload: payloadOf(event, record, `${bucket}/${key}`) };
}

/** AWS writes `ObjectCreated:Put`, MinIO `s3:ObjectCreated:Put`; senders that name no event mean an arrival. */
function isArrival(eventName: unknown): boolean {
  return typeof eventName !== "string" || /^(s3:)?ObjectCreated:/.test(eventName);
}

/** Keys come URL-encoded with a space as `+`. */
function decodeKey(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    return null;
  }
}

function timeOf(record: JsonObject): number | null {
  const time = typeof record.eventTime === "string" ? Date.parse(record.eventTime) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

/** MinIO repeats name and key of the first record at the top. */
function payloadOf(event: JsonObject, record: JsonObject, path: string): string {
  const top: Record<string, unknown> = { ...event, Records: [record] };
  if ("Key" in event) top.Key = path;
  if ("EventName" in event && record.eventName !== undefined) top.EventName = record.eventName;
  return JSON.stringify(top);
}
