import { s3Error } from "../../../s3/errors.ts";
import { element, xmlDocument } from "../../../s3/xml-write.ts";
import type { MultipartUpload, Part } from "../../../state/object-calls.ts";
import { answerXml } from "../../answer.ts";
import type { Call } from "../../call.ts";
import { announcedChecksumElements, checksumElements, personElement } from "../../elements.ts";
import { parameter, type S3Request } from "../../request.ts";
import { findUpload, noSuchUpload } from "./open-upload.ts";

const MAX_PARTS_A_PAGE = 1000;

/** ListParts, by number. */
export async function listParts(call: Call): Promise<void> {
  const { deps, request } = call;
  const limit = Math.min(MAX_PARTS_A_PAGE, wholeNumber(request, "max-parts") ?? MAX_PARTS_A_PAGE);
  const after = wholeNumber(request, "part-number-marker") ?? 0;
  const upload = await findUpload(call, "object.read");
  if (upload.completed !== null) throw noSuchUpload();
  const found = await deps.state.parts(upload.uploadId, after, limit + 1);
  const page = found.slice(0, limit);
  answerXml(
    call.response,
    200,
    xmlDocument("ListPartsResult", [
      ...uploadElements(request, upload),
      element("PartNumberMarker", after),
      element("NextPartNumberMarker", page.at(-1)?.number ?? after),
      element("MaxParts", limit),
      element("IsTruncated", found.length > limit),
      ...page.map(partElement),
    ]),
  );
}

function uploadElements(request: S3Request, { uploadId, owner, checksum }: MultipartUpload): string[] {
  return [
    element("Bucket", request.bucket),
    element("Key", request.key),
    element("UploadId", uploadId),
    personElement("Initiator", owner),
    personElement("Owner", owner),
    element("StorageClass", "STANDARD"),
    ...announcedChecksumElements(checksum),
  ];
}

function partElement(part: Part): string {
  return element("Part", [
    element("PartNumber", part.number),
    element("LastModified", new Date(part.lastModified).toISOString()),
    element("ETag", `"${part.md5}"`),
    element("Size", part.sizeBytes),
    ...checksumElements(part.checksums),
  ]);
}

function wholeNumber(request: S3Request, name: string): number | undefined {
  const text = parameter(request, name);
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw s3Error("InvalidArgument", `Cannot use this ${name}: it is not a whole number`);
  return Number(text);
}
