import { SluiceError } from "./errors.ts";

/** Longest key in UTF-8 bytes, as in S3. */
export const MAX_KEY_BYTES = 1024;

/** Accepts any UTF-8 string of 1 to 1,024 bytes without NUL: `..`, `//`, a leading `/` and emoji are ordinary characters of a key.
 *  @throws SluiceError KEY_INVALID */
export function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key, "utf8");
  if (bytes === 0)
    throw new SluiceError("KEY_INVALID", "Cannot use an empty object key: give it at least one character");
  if (bytes > MAX_KEY_BYTES) {
    throw new SluiceError(
      "KEY_INVALID",
      `Cannot use the object key: it has ${bytes} bytes, at most ${MAX_KEY_BYTES} are allowed`,
    );
  }
  if (key.includes("\0")) throw new SluiceError("KEY_INVALID", "Cannot use the object key: it holds a NUL character");
  if (!key.isWellFormed()) throw new SluiceError("KEY_INVALID", "Cannot use the object key: it is not valid UTF-8");
}

/** @throws SluiceError BUCKET_NAME_INVALID
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
export function checkBucketName(name: string): void {
  const wellFormed = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name);
  const looksLikeAddress = /^\d+\.\d+\.\d+\.\d+$/.test(name);
  const twoDots = name.includes("..");
  if (!wellFormed || twoDots || looksLikeAddress) {
    const dots = twoDots ? ", without two dots in a row" : "";
    const besides = looksLikeAddress ? ", and no IP address" : dots;
    throw new SluiceError(
      "BUCKET_NAME_INVALID",
      `Cannot use "${name}" as a bucket name: use 3 to 63 of a-z, 0-9, "-" and ".", starting and ending with a letter or digit${besides}`,
    );
  }
}

/** Order of keys: by UTF-8 bytes. JavaScript's own string order differs for characters beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

/** A key that ends in a slash is a folder that some client made: stored, but it starts no job. */
export const isFolderMarker = (key: string): boolean => key.endsWith("/");
