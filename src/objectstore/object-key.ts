import { checkKey, MAX_KEY_BYTES } from "../core/keys.ts";
import { s3Error } from "../s3/errors.ts";

/** @throws SluiceError S3 KeyTooLongError, KEY_INVALID */
export function checkObjectKey(key: string): void {
  if (Buffer.byteLength(key, "utf8") > MAX_KEY_BYTES) {
    throw s3Error("KeyTooLongError", `Cannot use the object key: it has more than ${MAX_KEY_BYTES} bytes`);
  }
  checkKey(key);
}
