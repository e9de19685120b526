import type { ObjectInfo } from "../../core/object.ts";
import type { HeaderTable } from "../../s3/canonical-request.ts";
import { CHECKSUM_PREFIX } from "../../s3/checksums.ts";
import { s3Error } from "../../s3/errors.ts";
import type { FormUpload } from "../../s3/form-data.ts";
import { checkPostPolicy, type PostPolicy, readPostPolicy } from "../../s3/post-policy.ts";
import { readXml } from "../../s3/xml-read.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import { answerEmpty, answerXml } from "../answer.ts";
import { MAX_OBJECT_BYTES, openBody } from "../body.ts";
import type { Call } from "../call.ts";
import { type ObjectHeaders, readObjectHeaders } from "../object-headers.ts";
import { checkObjectKey } from "../object-key.ts";
import { contentLength, objectUrl } from "../request.ts";
import { MAX_OBJECT_TAGS, readTags } from "../tags.ts";
import { storedHeaders, storeObject } from "./put-object.ts";

/** A browser's form. Its fields have come and their signature holds; its policy is checked before a byte of the file is taken, but for the
 *  file's size, which is checked while it streams.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html */
export async function postObject(call: Call): Promise<void> {
  const { form } = call.caller;
  if (form === null) {
    throw s3Error("PreconditionFailed", "Cannot take the request: a POST on a bucket must be multipart/form-data", {
      Condition: "Bucket POST must be of the enclosure-type multipart/form-data",
    });
  }
  try {
    const fields = expandedFields(form);
    const object = await store(call, form, fields);
    answer(call, fields, object);
  } finally {
    await form.close();
  }
}

type Fields = ReadonlyMap<string, string>;

/** `${filename}` stands for the file's name in every field, before the policy is looked at. */
function expandedFields({ fields, fileName }: FormUpload): Fields {
  const expanded = new Map<string, string>();
  for (const [name, value] of fields) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how S3 writes it
    expanded.set(name, name === "policy" ? value : value.replaceAll("${filename}", () => fileName));
  }
  return expanded;
}

async function store(call: Call, form: FormUpload, fields: Fields): Promise<ObjectInfo> {
  const { deps, request } = call;
  const policy = readPostPolicy(fields.get("policy") ?? "");
  checkPostPolicy(policy, fields, request.bucket, deps.clock.now());
  const key = fields.get("key");
  if (key === undefined || key === "") {
    throw s3Error("InvalidArgument", 'Cannot store the form: it has no field "key", or none in front of its file');
  }
  checkObjectKey(key);
  const inner: Call = { ...call, request: { ...request, key, headers: headersOf(fields) } };
  const headers: ObjectHeaders = { ...readObjectHeaders(inner.request.headers), tags: tagsOf(fields) };
  const body = openBody(inner, null, withinSize(form.file, policy));
  return storeObject(inner, headers, body, contentLength(request) ?? 0);
}

/** Fields that mean what the header of that name means in a PUT. */
const HEADERS: ReadonlySet<string> = new Set([
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-md5",
  "content-type",
  "expires",
  "x-amz-storage-class",
  "x-amz-website-redirect-location",
]);
const HEADER_PREFIXES = ["x-amz-meta-", "x-amz-server-side-encryption", "x-amz-object-lock-", CHECKSUM_PREFIX];

/** Header values are one character a byte. */
function headersOf(fields: Fields): HeaderTable {
  const table = new Map<string, readonly string[]>();
  for (const [name, value] of fields) {
    const header = name === "acl" ? "x-amz-acl" : name;
    const known = name === "acl" || HEADERS.has(name) || HEADER_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (known) table.set(header, [Buffer.from(value, "utf8").toString("latin1")]);
  }
  return table;
}

function tagsOf(fields: Fields): ObjectHeaders["tags"] {
  const document = fields.get("tagging");
  return document === undefined ? {} : readTags(readXml(document), MAX_OBJECT_TAGS);
}

async function* withinSize(file: AsyncIterable<Uint8Array>, policy: PostPolicy): AsyncGenerator<Uint8Array> {
  const { minBytes } = policy;
  const maxBytes = Math.min(policy.maxBytes, MAX_OBJECT_BYTES);
  let size = 0;
  for await (const piece of file) {
    size += piece.length;
    if (size > maxBytes) {
      throw s3Error("EntityTooLarge", `Cannot store the form: its file has more than ${maxBytes} bytes`, {
        ProposedSize: String(size),
        MaxSizeAllowed: String(maxBytes),
      });
    }
    yield piece;
  }
  if (size < minBytes) {
    throw s3Error("EntityTooSmall", `Cannot store the form: its file has ${size} bytes, fewer than ${minBytes}`, {
      ProposedSize: String(size),
      MinSizeAllowed: String(minBytes),
    });
  }
}

function answer({ request, response }: Call, fields: Fields, object: ObjectInfo): void {
  const location = objectUrl(request, object.key);
  const headers = [...storedHeaders(object), "Location", location];
  const target = redirectTarget(fields, object);
  if (target !== null) {
    answerEmpty(response, 303, [...storedHeaders(object), "Location", target]);
    return;
  }
  const status = fields.get("success_action_status");
  if (status === "201") {
    const document = xmlDocument("PostResponse", [
      element("Location", location),
      element("Bucket", object.bucket),
      element("Key", object.key),
      element("ETag", `"${object.etag}"`),
    ]);
    answerXml(response, 201, document, headers);
  } else answerEmpty(response, status === "200" ? 200 : 204, headers);
}

/** Where the form sends its user afterwards; what is no web address is ignored, as in S3. */
function redirectTarget(fields: Fields, object: ObjectInfo): string | null {
  const wanted = fields.get("success_action_redirect") ?? fields.get("redirect") ?? "";
  const url = URL.canParse(wanted) ? new URL(wanted) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol)) return null;
  url.searchParams.set("bucket", object.bucket);
  url.searchParams.set("key", object.key);
  url.searchParams.set("etag", `"${object.etag}"`);
  return url.href;
}
