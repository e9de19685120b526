import { s3Error } from "../../../s3/errors.ts";
import { childrenNamed, childText, type XmlElement } from "../../../s3/xml-element.ts";
import type { MultipartUpload, Part } from "../../../state/object-calls.ts";
import { MIN_PART_BYTES } from "../../multipart/assembly.ts";
import { MAX_PARTS } from "../../multipart/file-parts.ts";

/** A part as the completion names it. */
export interface NamedPart {
  readonly number: number;
  /** MD5 in hex. */
  readonly etag: string;
  /** Lower-case algorithm → base64. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** The parts that a `CompleteMultipartUpload` element names. @throws SluiceError S3 MalformedXML, InvalidPartOrder */
export function readPartList(root: XmlElement): NamedPart[] {
  const parts = childrenNamed(root, "Part").map(readPart);
  if (parts.length === 0 || parts.length > MAX_PARTS) {
    throw s3Error("MalformedXML", `Cannot complete the upload: the body is no list of 1 to ${MAX_PARTS} parts`);
  }
  if (parts.some((part, index) => index > 0 && part.number <= (parts[index - 1]?.number ?? 0))) {
    throw s3Error("InvalidPartOrder", "Cannot complete the upload: its parts are not listed by rising number");
  }
  return parts;
}

function readPart(part: XmlElement): NamedPart {
  const number = childText(part, "PartNumber")?.trim() ?? "";
  const etag = childText(part, "ETag")?.trim() ?? "";
  if (!/^\d{1,5}$/.test(number) || etag === "") {
    throw s3Error("MalformedXML", "Cannot complete the upload: a Part has no PartNumber or no ETag");
  }
  const checksums: Record<string, string> = {};
  for (const { name, text } of part.children) {
    const [, algorithm] = /^Checksum(CRC32|CRC32C|CRC64NVME|SHA1|SHA256)$/.exec(name) ?? [];
    if (algorithm !== undefined) checksums[algorithm.toLowerCase()] = text.trim();
  }
  return { number: Number(number), etag: etag.replace(/^"(.*)"$/, "$1").toLowerCase(), checksums };
}

/** The parts that were named, as they lie there.
 *  @throws SluiceError S3 InvalidPart, EntityTooSmall */
export function pickParts(named: readonly NamedPart[], all: readonly Part[], upload: MultipartUpload): Part[] {
  const known = new Map(all.map((part) => [part.number, part]));
  return named.map((name, index) => {
    const part = known.get(name.number);
    if (part === undefined || part.md5 !== name.etag || !sameChecksums(name, part)) {
      throw s3Error(
        "InvalidPart",
        `Cannot complete the upload: part ${name.number} is not there with that ETag and checksum`,
        {
          UploadId: upload.uploadId,
          PartNumber: String(name.number),
          ETag: name.etag,
        },
      );
    }
    if (index < named.length - 1 && part.sizeBytes < MIN_PART_BYTES) {
      throw s3Error(
        "EntityTooSmall",
        `Cannot complete the upload: part ${name.number} is smaller than ${MIN_PART_BYTES} bytes and not the last`,
        {
          ProposedSize: String(part.sizeBytes),
          MinSizeAllowed: String(MIN_PART_BYTES),
          PartNumber: String(name.number),
          ETag: part.md5,
        },
      );
    }
    return part;
  });
}

/** A checksum that the part was not sent with cannot be compared, and is left to the ETag. */
function sameChecksums(name: NamedPart, part: Part): boolean {
  return Object.entries(name.checksums).every(([algorithm, value]) => (part.checksums[algorithm] ?? value) === value);
}
