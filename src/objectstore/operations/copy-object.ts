import type { StoredObject } from "../../core/object.ts";
import { header } from "../../s3/canonical-request.ts";
import { createChecksum } from "../../s3/checksums.ts";
import { s3Error } from "../../s3/errors.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import type { Copy } from "../../state/object-calls.ts";
import { readSmallBody } from "../body.ts";
import { allowedBucket, type Call } from "../call.ts";
import { findCopySource } from "../copy-source.ts";
import { objectChecksumElements } from "../elements.ts";
import { readObjectHeaders, setVersionHeader } from "../object-headers.ts";
import { checkObjectKey } from "../object-key.ts";
import { answerWhenDone } from "../slow-answer.ts";
import { writeCondition } from "./put-object.ts";

/** CopyObject: one transaction that makes a second object of the same bytes, whatever their size. */
export async function copyObject(call: Call): Promise<void> {
  const { request } = call;
  checkObjectKey(request.key);
  const keepsMetadata = directive(call, "x-amz-metadata-directive") === "COPY";
  const keepsTags = directive(call, "x-amz-tagging-directive") === "COPY";
  const headers = readObjectHeaders(request.headers);
  await allowedBucket(call, "object.write");
  await readSmallBody(call, 0);
  const source = await findCopySource(call);
  if (keepsMetadata && keepsTags && isItself(call, source)) {
    throw s3Error(
      "InvalidRequest",
      "Cannot copy an object onto itself without changing anything: give new metadata or tags",
    );
  }
  const { contentType, metadata, headers: kept, tags } = headers;
  const copied = copy(call, source, {
    replace: keepsMetadata ? null : { contentType, metadata, headers: kept },
    tags: keepsTags ? null : tags,
  });
  await answerWhenDone(call, copied, [
    ...(source.versionId === "null" ? [] : ["x-amz-copy-source-version-id", source.versionId]),
  ]);
}

async function copy(call: Call, source: StoredObject, changes: Pick<Copy, "replace" | "tags">): Promise<string> {
  const { deps, request, caller, response } = call;
  const { bucket, key, versionSeq } = source;
  const { object } = await deps.state.copyObject({
    by: caller.principal,
    source: { bucket, key, versionSeq },
    bucket: request.bucket,
    key: request.key,
    ...changes,
    checksums: await askedChecksum(call, source),
    condition: writeCondition(request.headers),
    lineage: caller.lineage,
    at: deps.clock.now(),
  });
  setVersionHeader(response, object);
  return xmlDocument("CopyObjectResult", [
    element("LastModified", new Date(object.lastModified).toISOString()),
    element("ETag", `"${object.etag}"`),
    ...objectChecksumElements(object.checksums),
  ]);
}

/** The checksum that the client wants of the copy, where the source has it not: the bytes are read for it. Null keeps the source's. */
async function askedChecksum({ deps, request }: Call, source: StoredObject): Promise<Copy["checksums"]> {
  const algorithm = header(request.headers, "x-amz-checksum-algorithm")?.toLowerCase();
  if (algorithm === undefined || source.checksums[algorithm] !== undefined) return null;
  const hasher = createChecksum(algorithm);
  for await (const piece of deps.blobs.read(source, 0, source.sizeBytes)) hasher.update(piece);
  return { [algorithm]: hasher.digest().toString("base64") };
}

/** @throws SluiceError S3 InvalidArgument */
function directive({ request }: Call, name: string): "COPY" | "REPLACE" {
  const value = header(request.headers, name)?.toUpperCase() ?? "COPY";
  if (value === "COPY" || value === "REPLACE") return value;
  throw s3Error("InvalidArgument", `Cannot use this ${name}: it is COPY or REPLACE`);
}

/** An older version copied over the latest changes something: it becomes the latest. */
function isItself({ request }: Call, source: StoredObject): boolean {
  return source.isLatest && source.bucket === request.bucket && source.key === request.key;
}
