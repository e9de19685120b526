import { checkBucketName, checkKey } from "../core/keys.ts";

/** `BUCKET`, `BUCKET/`, `BUCKET/KEY` or `BUCKET/PREFIX/`. */
export interface RemotePath {
  readonly bucket: string;
  /** Byte for byte what stands behind the first slash; empty for the bucket itself. */
  readonly key: string;
  /** True when it names a bucket or ends in a slash: what lies below it is meant. */
  readonly isFolder: boolean;
}

/** Reads `BUCKET/KEY`; `s3://BUCKET/KEY` means the same. @throws SluiceError BUCKET_NAME_INVALID, KEY_INVALID */
export function parseRemotePath(text: string): RemotePath {
  const path = text.replace(/^s3:\/\//, "");
  const slash = path.indexOf("/");
  const bucket = slash < 0 ? path : path.slice(0, slash);
  const key = slash < 0 ? "" : path.slice(slash + 1);
  checkBucketName(bucket);
  if (key !== "") checkKey(key);
  return { bucket, key, isFolder: key === "" || key.endsWith("/") };
}
