import { createHash } from "node:crypto";

/** Longest file name on the file systems we meet (NAME_MAX). */
const MAX_NAME_BYTES = 255;
const KEPT_BYTES = 200;

/** The name the input file gets in TMP_INPUT_DIR: the key's base name when that can be a file name, else its first 200 bytes, `-`,
 *  8 hex digits of the key's SHA-256 and the extension. */
export function inputFileName(key: string): string {
  const base = key.slice(key.lastIndexOf("/") + 1);
  const bytes = Buffer.byteLength(base, "utf8");
  if (bytes >= 1 && bytes <= MAX_NAME_BYTES && base !== "." && base !== "..") return base;
  const hash = createHash("sha256").update(key, "utf8").digest("hex").slice(0, 8);
  const extension = /\.[A-Za-z0-9]{1,16}$/.exec(base)?.[0] ?? "";
  return `${firstBytes(base, KEPT_BYTES)}-${hash}${extension}`;
}

/** The longest start of `text` that has at most `limit` bytes and splits no character. */
function firstBytes(text: string, limit: number): string {
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += Buffer.byteLength(character, "utf8");
    if (used > limit) break;
    end += character.length;
  }
  return text.slice(0, end);
}
