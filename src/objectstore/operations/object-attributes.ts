import type { StoredObject } from "../../core/object.ts";
import { header } from "../../s3/canonical-request.ts";
import { s3Error } from "../../s3/errors.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import { answerXml } from "../answer.ts";
import type { Call } from "../call.ts";
import { checksumElements, objectChecksumElements } from "../elements.ts";
import { findObject } from "../find-object.ts";
import { versionHeaders } from "../object-headers.ts";

const MAX_PARTS_A_PAGE = 1000;

type Page = { readonly after: number; readonly limit: number };

/** What GetObjectAttributes can tell, in the order of S3's schema. */
const ATTRIBUTES: Readonly<Record<string, (object: StoredObject, page: Page) => string[]>> = {
  ETag: ({ etag }) => [element("ETag", etag)],
  Checksum: ({ checksums }) =>
    Object.keys(checksums).length === 0 ? [] : [element("Checksum", objectChecksumElements(checksums))],
  ObjectParts: (object, page) => partsElement(object, page),
  StorageClass: () => [element("StorageClass", "STANDARD")],
  ObjectSize: ({ sizeBytes }) => [element("ObjectSize", sizeBytes)],
};

export async function getObjectAttributes(call: Call): Promise<void> {
  const { request } = call;
  const asked = readAttributes(call);
  const page = {
    after: wholeNumber(header(request.headers, "x-amz-part-number-marker")) ?? 0,
    limit: Math.min(MAX_PARTS_A_PAGE, wholeNumber(header(request.headers, "x-amz-max-parts")) ?? MAX_PARTS_A_PAGE),
  };
  const object = await findObject(call, "object.read");
  const children = Object.entries(ATTRIBUTES).flatMap(([name, write]) => (asked.has(name) ? write(object, page) : []));
  const headers = ["Last-Modified", new Date(object.lastModified).toUTCString(), ...versionHeaders(object).flat()];
  answerXml(call.response, 200, xmlDocument("GetObjectAttributesResponse", children), headers);
}

function readAttributes({ request }: Call): Set<string> {
  const names = (request.headers.get("x-amz-object-attributes") ?? [])
    .flatMap((value) => value.split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0 || names.some((name) => !Object.hasOwn(ATTRIBUTES, name))) {
    throw s3Error(
      "InvalidArgument",
      `Cannot use x-amz-object-attributes: name some of ${Object.keys(ATTRIBUTES).join(", ")}`,
    );
  }
  return new Set(names);
}

/** S3 lists the parts of objects whose parts have checksums, and only counts those of others. */
function partsElement({ parts }: StoredObject, { after, limit }: Page): string[] {
  if (parts === null) return [];
  const total = element("PartsCount", parts.length);
  if (parts.some((part) => Object.keys(part.checksums).length === 0)) return [element("ObjectParts", [total])];
  const listed = parts.slice(after, after + limit);
  return [
    element("ObjectParts", [
      total,
      element("PartNumberMarker", after),
      element("NextPartNumberMarker", after + listed.length),
      element("MaxParts", limit),
      element("IsTruncated", after + listed.length < parts.length),
      ...listed.map((part, index) =>
        element("Part", [
          element("PartNumber", after + index + 1),
          element("Size", part.sizeBytes),
          ...checksumElements(part.checksums),
        ]),
      ),
    ]),
  ];
}

function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw s3Error("InvalidArgument", "Cannot page through the parts: a number is not whole");
  return Number(text);
}
