import type { ObjectInfo } from "../../../core/object.ts";
import { crashPoint } from "../../../lib/crash-point.ts";
import { header } from "../../../s3/canonical-request.ts";
import { CHECKSUM_PREFIX, checksumAlgorithm } from "../../../s3/checksums.ts";
import { s3Error } from "../../../s3/errors.ts";
import { element, xmlDocument } from "../../../s3/xml-write.ts";
import type { MultipartUpload, Part } from "../../../state/object-calls.ts";
import { MAX_OBJECT_BYTES } from "../../body.ts";
import type { Call } from "../../call.ts";
import { objectChecksumElements } from "../../elements.ts";
import { joinedChecksums, joinedEtag } from "../../multipart/joined-checksum.ts";
import { setVersionHeader } from "../../object-headers.ts";
import { objectUrl } from "../../request.ts";
import { answerWhenDone } from "../../slow-answer.ts";
import { readXmlBody } from "../../xml-body.ts";
import { writeCondition } from "../put-object.ts";
import { findUpload, noSuchUpload } from "./open-upload.ts";
import { type NamedPart, pickParts, readPartList } from "./part-list.ts";

/** 10,000 parts with five checksums each. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;

/** CompleteMultipartUpload: the parts become one durable blob, then ONE transaction makes it an object, an event and jobs. A client that did
 *  not hear the answer may ask again, with the same list, and gets the same. */
export async function completeMultipartUpload(call: Call): Promise<void> {
  const upload = await findUpload(call, "object.write");
  const named = readPartList(await readXmlBody(withoutChecksums(call), "CompleteMultipartUpload", MAX_LIST_BYTES));
  await answerWhenDone(call, result(call, upload, named));
}

async function result(call: Call, upload: MultipartUpload, named: readonly NamedPart[]): Promise<string> {
  const object =
    upload.completed === null ? await complete(call, upload, named) : answeredBefore(upload.completed, named);
  setVersionHeader(call.response, object);
  return resultDocument(call, object);
}

/** This call's checksum headers speak of the object, not of the list that is its body. */
function withoutChecksums(call: Call): Call {
  const headers = new Map([...call.request.headers].filter(([name]) => checksumAlgorithm(name) === null));
  return { ...call, request: { ...call.request, headers } };
}

async function complete(call: Call, upload: MultipartUpload, named: readonly NamedPart[]): Promise<ObjectInfo> {
  const { deps, request, caller } = call;
  let checksums: Readonly<Record<string, string>> = {};
  return deps.parts.complete(
    upload,
    (all) => {
      const chosen = pickParts(named, all, upload);
      checksums = joinedChecksums(upload.checksum, chosen);
      checkPromises(call, chosen, checksums);
      return chosen;
    },
    async (bytes, chosen) => {
      crashPoint("complete.assembled");
      const { object } = await deps.state.completeUpload({
        by: caller.principal,
        bucket: request.bucket,
        key: request.key,
        uploadId: upload.uploadId,
        etag: joinedEtag(chosen),
        checksums,
        parts: chosen.map(({ number, md5, sizeBytes, checksums }) => ({ number, md5, sizeBytes, checksums })),
        bytes,
        condition: writeCondition(request.headers),
        at: deps.clock.now(),
      });
      crashPoint("complete.committed");
      return object;
    },
  );
}

/** What the client says about the whole object must be so. */
function checkPromises({ request }: Call, chosen: readonly Part[], checksums: Readonly<Record<string, string>>): void {
  const size = header(request.headers, "x-amz-mp-object-size");
  const actual = chosen.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (actual > MAX_OBJECT_BYTES) {
    throw s3Error("EntityTooLarge", `Cannot complete the upload: at most ${MAX_OBJECT_BYTES} bytes are allowed`);
  }
  if (size !== undefined && Number(size) !== actual) {
    throw s3Error(
      "InvalidRequest",
      `Cannot complete the upload: its parts have ${actual} bytes, not x-amz-mp-object-size`,
    );
  }
  for (const [algorithm, value] of Object.entries(checksums)) {
    const sent = header(request.headers, CHECKSUM_PREFIX + algorithm);
    if (sent !== undefined && sent !== value && `${sent}-${chosen.length}` !== value) {
      throw s3Error("BadDigest", `Cannot complete the upload: its ${algorithm} checksum is not the one sent`);
    }
  }
}

function answeredBefore(completed: ObjectInfo, named: readonly NamedPart[]): ObjectInfo {
  if (joinedEtag(named.map(({ etag }) => ({ md5: etag }))) !== completed.etag) throw noSuchUpload();
  return completed;
}

function resultDocument({ request }: Call, object: ObjectInfo): string {
  return xmlDocument("CompleteMultipartUploadResult", [
    element("Location", objectUrl(request, request.key)),
    element("Bucket", request.bucket),
    element("Key", request.key),
    element("ETag", `"${object.etag}"`),
    ...objectChecksumElements(object.checksums),
  ]);
}
