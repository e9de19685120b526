import { s3Error } from "./errors.ts";

const UNRESERVED_PATH = /^[A-Za-z0-9\-._~/]*$/;
const PLAIN_ASCII = /^[\x20-\x24\x26-\x7e]*$/;

/** Percent-encodes as Signature V4 wants it: every byte of the UTF-8 form but `A-Z a-z 0-9 - . _ ~`, upper-case hex, space as `%20`.
 *  The text must be well-formed.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (UriEncode) */
export function encodeUriComponent(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The same, but `/` stays: S3 paths are encoded once and never normalised, so `a//b`, `.` and `..` keep their bytes. */
export function encodeUriPath(path: string): string {
  if (UNRESERVED_PATH.test(path)) return path;
  return path.split("/").map(encodeUriComponent).join("/");
}

/** The characters behind a percent-encoded part of a request line. Raw bytes beyond ASCII, which Node hands over one a character, count as
 *  encoded ones. @throws SluiceError S3 InvalidURI when an escape is broken or the bytes are not UTF-8 */
export function decodeUriPart(raw: string): string {
  if (PLAIN_ASCII.test(raw)) return raw;
  const escaped = raw.replace(/[\x80-\xff]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(escaped);
  } catch {
    throw s3Error("InvalidURI", `Cannot read the address: an escape is broken or its bytes are not valid UTF-8`);
  }
}

/** Name and value of a query parameter, decoded; a parameter without `=` has the value "". */
export type QueryPair = readonly [name: string, value: string];

/** The parameters of a raw query (without `?`), in order; `+` is a space, as in forms.
 *  @throws SluiceError S3 InvalidURI */
export function parseQuery(raw: string): QueryPair[] {
  if (raw === "") return [];
  return raw
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      const value = equals < 0 ? "" : part.slice(equals + 1);
      return [decodeUriPart(name.replaceAll("+", " ")), decodeUriPart(value.replaceAll("+", " "))];
    });
}
