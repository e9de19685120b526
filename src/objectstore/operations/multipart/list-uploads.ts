import { element, xmlDocument } from "../../../s3/xml-write.ts";
import type { MultipartUpload } from "../../../state/object-calls.ts";
import { answerXml } from "../../answer.ts";
import { allowedBucket, type Call } from "../../call.ts";
import { announcedChecksumElements, personElement, prefixElements } from "../../elements.ts";
import { parameter } from "../../request.ts";
import { readMaxKeys, readShow } from "../list-objects.ts";

/** ListMultipartUploads: open ones, by key and then by time. */
export async function listMultipartUploads(call: Call): Promise<void> {
  const { deps, request } = call;
  const show = readShow(request);
  const limit = readMaxKeys(request, "max-uploads");
  const prefix = parameter(request, "prefix") ?? "";
  const delimiter = parameter(request, "delimiter") ?? "";
  const afterKey = parameter(request, "key-marker") ?? "";
  // Without a key it means nothing, and S3 ignores it.
  const afterUploadId = afterKey === "" ? null : parameter(request, "upload-id-marker") || null;
  await allowedBucket(call, "bucket.list");
  const query = { bucket: request.bucket, prefix, delimiter, afterKey, afterUploadId, limit };
  const page = limit === 0 ? EMPTY : await deps.state.listUploads(query);
  const document = xmlDocument("ListMultipartUploadsResult", [
    element("Bucket", request.bucket),
    element("KeyMarker", show(afterKey)),
    element("UploadIdMarker", afterUploadId ?? ""),
    ...(page.next === null
      ? []
      : [element("NextKeyMarker", show(page.next.key)), element("NextUploadIdMarker", page.next.uploadId ?? "")]),
    element("Prefix", show(prefix)),
    ...(delimiter === "" ? [] : [element("Delimiter", show(delimiter))]),
    element("MaxUploads", limit),
    ...(parameter(request, "encoding-type") === undefined ? [] : [element("EncodingType", "url")]),
    element("IsTruncated", page.next !== null),
    ...page.uploads.map((upload) => uploadElement(upload, show)),
    ...prefixElements(page.commonPrefixes, show),
  ]);
  answerXml(call.response, 200, document);
}

const EMPTY = { uploads: [], commonPrefixes: [], next: null };

function uploadElement(upload: MultipartUpload, show: (text: string) => string): string {
  return element("Upload", [
    element("Key", show(upload.key)),
    element("UploadId", upload.uploadId),
    personElement("Initiator", upload.owner),
    personElement("Owner", upload.owner),
    element("StorageClass", "STANDARD"),
    element("Initiated", new Date(upload.initiatedAt).toISOString()),
    ...announcedChecksumElements(upload.checksum),
  ]);
}
