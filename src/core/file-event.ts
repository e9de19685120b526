/** A fact that something arrived. Every incoming format (S3, MinIO, HTTP body, timer…) becomes one of these. */
export interface FileEvent {
  readonly id: string;
  /** `object` came from the embedded store; `http` is a call with a body; the others name the notifying system. */
  readonly source: "object" | "http" | "s3" | "minio";
  /** When it happened, UTC ms. */
  readonly time: number;
  /** The object that arrived; null for a call whose body is the input. */
  readonly object: EventObject | null;
  /** The root of the chain this event belongs to (its own id for the first), and how many jobs lie before it. */
  readonly rootId: string;
  readonly parentJobId: string | null;
  readonly hops: number;
  /** The JSON that the script sees in EVENT and EVENT_FILE. */
  readonly payload: string;
}

export interface EventObject {
  readonly bucket: string;
  readonly key: string;
  readonly versionSeq: number;
  readonly etag: string;
  readonly sizeBytes: number;
}

/** Most jobs in a chain before it is taken for a loop (AWS Lambda stops at 16 too). */
export const MAX_HOPS = 16;
