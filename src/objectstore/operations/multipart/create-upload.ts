import { randomBytes } from "node:crypto";
import { type HeaderTable, header } from "../../../s3/canonical-request.ts";
import { createChecksum } from "../../../s3/checksums.ts";
import { s3Error } from "../../../s3/errors.ts";
import { element, xmlDocument } from "../../../s3/xml-write.ts";
import type { MultipartUpload } from "../../../state/object-calls.ts";
import { answerXml } from "../../answer.ts";
import { readSmallBody } from "../../body.ts";
import { allowedBucket, type Call } from "../../call.ts";
import { readObjectHeaders } from "../../object-headers.ts";
import { checkObjectKey } from "../../object-key.ts";

/** What the checksum of a whole object can be made from, the default first.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html */
const TYPES: Readonly<Record<string, ReadonlyArray<"COMPOSITE" | "FULL_OBJECT">>> = {
  crc32: ["COMPOSITE", "FULL_OBJECT"],
  crc32c: ["COMPOSITE", "FULL_OBJECT"],
  crc64nvme: ["FULL_OBJECT"],
  sha1: ["COMPOSITE"],
  sha256: ["COMPOSITE"],
};

/** CreateMultipartUpload. The id is a secret of 128 bits: whoever knows it may add parts only with the bucket's rights all the same. */
export async function createMultipartUpload(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  checkObjectKey(request.key);
  const headers = readObjectHeaders(request.headers);
  const checksum = readChecksumKind(request.headers);
  await allowedBucket(call, "object.write");
  await readSmallBody(call, 0);
  const uploadId = randomBytes(16).toString("hex");
  const { bucket, key } = request;
  const { principal: by, lineage } = caller;
  await deps.state.createUpload({ by, uploadId, bucket, key, ...headers, checksum, lineage, at: deps.clock.now() });
  const document = xmlDocument("InitiateMultipartUploadResult", [
    element("Bucket", bucket),
    element("Key", key),
    element("UploadId", uploadId),
  ]);
  answerXml(call.response, 200, document, checksumKindHeaders(checksum));
}

/** @throws SluiceError S3 InvalidRequest, InvalidArgument */
function readChecksumKind(headers: HeaderTable): MultipartUpload["checksum"] {
  const name = header(headers, "x-amz-checksum-algorithm");
  const asked = header(headers, "x-amz-checksum-type")?.toUpperCase();
  if (name === undefined) {
    if (asked === undefined) return null;
    throw s3Error("InvalidRequest", "Cannot use x-amz-checksum-type without x-amz-checksum-algorithm");
  }
  const algorithm = name.toLowerCase();
  const types = TYPES[algorithm];
  if (types === undefined || !Object.hasOwn(TYPES, algorithm)) {
    throw s3Error(
      "InvalidRequest",
      `Cannot use the checksum algorithm "${name}": use ${Object.keys(TYPES).join(", ")}`,
    );
  }
  createChecksum(algorithm);
  const type = types.find((each) => asked === undefined || each === asked);
  if (type === undefined) {
    throw s3Error("InvalidRequest", `Cannot use the checksum type ${asked} with ${name}: use ${types.join(" or ")}`);
  }
  return { algorithm, type };
}

export function checksumKindHeaders(checksum: MultipartUpload["checksum"]): string[] {
  if (checksum === null) return [];
  return ["x-amz-checksum-algorithm", checksum.algorithm.toUpperCase(), "x-amz-checksum-type", checksum.type];
}
