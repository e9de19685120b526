import type { ObjectInfo } from "../../core/object.ts";
import { s3Error } from "../../s3/errors.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import { answerXml } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { personElement, prefixElements } from "../elements.ts";
import { parameter } from "../request.ts";
import { checksumEntries, readMaxKeys, readShow } from "./list-objects.ts";

const EMPTY = { versions: [], commonPrefixes: [], next: null };

/** ListObjectVersions: every version and delete marker, by key and from the newest on. */
export async function listObjectVersions(call: Call): Promise<void> {
  const { deps, request } = call;
  const show = readShow(request);
  const limit = readMaxKeys(request, "max-keys");
  const prefix = parameter(request, "prefix") ?? "";
  const delimiter = parameter(request, "delimiter") ?? "";
  const afterKey = parameter(request, "key-marker") ?? "";
  const afterVersionId = parameter(request, "version-id-marker") || null;
  if (afterKey === "" && afterVersionId !== null) {
    throw s3Error("InvalidArgument", "Cannot use a version-id-marker without a key-marker");
  }
  await allowedBucket(call, "bucket.list");
  const query = { bucket: request.bucket, prefix, delimiter, afterKey, afterVersionId, limit };
  const page = limit === 0 ? EMPTY : await deps.state.listVersions(query);
  const document = xmlDocument("ListVersionsResult", [
    element("Name", request.bucket),
    element("Prefix", show(prefix)),
    element("KeyMarker", show(afterKey)),
    element("VersionIdMarker", afterVersionId ?? ""),
    ...(page.next === null
      ? []
      : [element("NextKeyMarker", show(page.next.key)), element("NextVersionIdMarker", page.next.versionId ?? "")]),
    element("MaxKeys", limit),
    ...(delimiter === "" ? [] : [element("Delimiter", show(delimiter))]),
    ...(parameter(request, "encoding-type") === undefined ? [] : [element("EncodingType", "url")]),
    element("IsTruncated", page.next !== null),
    ...page.versions.map((version) => versionElement(version, show)),
    ...prefixElements(page.commonPrefixes, show),
  ]);
  answerXml(call.response, 200, document);
}

function versionElement(version: ObjectInfo, show: (text: string) => string): string {
  const common = [
    element("Key", show(version.key)),
    element("VersionId", version.versionId),
    element("IsLatest", version.isLatest),
    element("LastModified", new Date(version.lastModified).toISOString()),
  ];
  const owner = personElement("Owner", version.owner);
  if (version.isDeleteMarker) return element("DeleteMarker", [...common, owner]);
  return element("Version", [
    ...common,
    element("ETag", `"${version.etag}"`),
    ...checksumEntries(version),
    element("Size", version.sizeBytes),
    owner,
    element("StorageClass", "STANDARD"),
  ]);
}
