import { createHash } from "node:crypto";
import type { ObjectPart } from "../../core/object.ts";
import { createChecksum } from "../../s3/checksums.ts";
import { combineCrc, isCrc } from "../../s3/crc-combine.ts";
import type { MultipartUpload } from "../../state/object-calls.ts";

/** The ETag of an object that came in parts: the MD5 of the parts' MD5s, and their number. It says nothing about how the bytes are kept. */
export function joinedEtag(parts: ReadonlyArray<{ readonly md5: string }>): string {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part.md5, "hex");
  return `${hash.digest("hex")}-${parts.length}`;
}

/** The object's checksum from its parts': of their checksums one behind the other (COMPOSITE), or of all bytes (FULL_OBJECT, which only CRCs
 *  allow). Empty when the upload announced none.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html */
export function joinedChecksums(
  checksum: MultipartUpload["checksum"],
  parts: readonly ObjectPart[],
): Readonly<Record<string, string>> {
  if (checksum === null) return {};
  const { algorithm, type } = checksum;
  const digests = parts.map((part) => Buffer.from(part.checksums[algorithm] ?? "", "base64"));
  if (type === "COMPOSITE") {
    const hasher = createChecksum(algorithm);
    for (const digest of digests) hasher.update(digest);
    return { [algorithm]: `${hasher.digest().toString("base64")}-${parts.length}` };
  }
  if (!isCrc(algorithm)) throw new Error(`${algorithm} cannot be combined`);
  const whole = digests.reduce<Buffer>(
    (all, digest, index) => (index === 0 ? digest : combineCrc(algorithm, all, digest, parts[index]?.sizeBytes ?? 0)),
    Buffer.alloc(0),
  );
  return { [algorithm]: whole.toString("base64") };
}
