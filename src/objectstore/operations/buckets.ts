import { isSluiceError } from "../../core/errors.ts";
import { checkBucketName } from "../../core/keys.ts";
import type { Bucket } from "../../core/object.ts";
import { isAdmin } from "../../core/principal.ts";
import { decide } from "../../identity/decide.ts";
import { header } from "../../s3/canonical-request.ts";
import { s3Error } from "../../s3/errors.ts";
import { childText, type XmlElement } from "../../s3/xml-element.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import { answerEmpty, answerXml } from "../answer.ts";
import { readSmallBody } from "../body.ts";
import { allowedBucket, type Call } from "../call.ts";
import { personElement } from "../elements.ts";
import { refuseAcl } from "../object-headers.ts";
import { parseXmlBody } from "../xml-body.ts";

const MAX_CONFIGURATION_BYTES = 64 * 1024;

/** The buckets that are the caller's; the administrator sees all. */
export async function listBuckets({ deps, caller, response }: Call): Promise<void> {
  const { principal } = caller;
  const buckets = await deps.state.buckets(isAdmin(principal) ? null : principal.subject);
  answerXml(
    response,
    200,
    xmlDocument("ListAllMyBucketsResult", [
      personElement("Owner", principal.subject),
      `<Buckets>${buckets.map(bucketElement).join("")}</Buckets>`,
    ]),
  );
}

function bucketElement(bucket: Bucket): string {
  return element("Bucket", [
    element("Name", bucket.name),
    element("CreationDate", new Date(bucket.createdAt).toISOString()),
  ]);
}

/** Any region is accepted and none is kept: this server is all there is. */
export async function createBucket(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  checkBucketName(request.bucket);
  refuseAcl(request.headers);
  if (header(request.headers, "x-amz-bucket-object-lock-enabled")?.toLowerCase() === "true") {
    throw s3Error("NotImplemented", "Cannot create the bucket with object lock: this server does not do that");
  }
  const body = await readSmallBody(call, MAX_CONFIGURATION_BYTES);
  if (body.length > 0) checkConfiguration(parseXmlBody(body, "CreateBucketConfiguration"));
  const resource = { kind: "bucket", name: request.bucket, owner: null } as const;
  if (!decide(caller.principal, "bucket.write", resource)) {
    throw s3Error("AccessDenied", "Cannot create the bucket: this access key may not");
  }
  await create(call);
  deps.buckets.clear();
  answerEmpty(call.response, 200, ["Location", `/${request.bucket}`]);
}

function checkConfiguration(root: XmlElement): void {
  if (childText(root, "Bucket") !== undefined || childText(root, "Location") !== undefined) {
    throw s3Error("NotImplemented", "Cannot create a directory bucket: only general buckets exist here");
  }
}

async function create({ deps, request, caller }: Call): Promise<void> {
  try {
    await deps.state.createBucket(caller.principal, request.bucket);
  } catch (error) {
    if (!isSluiceError(error, "BUCKET_EXISTS")) throw error;
    const existing = await deps.state.bucket(request.bucket);
    const own = existing?.owner === caller.principal.subject;
    throw s3Error(
      own ? "BucketAlreadyOwnedByYou" : "BucketAlreadyExists",
      `Cannot create bucket "${request.bucket}": ${own ? "it is yours already" : "the name is taken"}`,
      { BucketName: request.bucket },
    );
  }
}

export async function headBucket(call: Call): Promise<void> {
  await allowedBucket(call, "bucket.list");
  answerEmpty(call.response, 200, ["x-amz-bucket-region", "us-east-1"]);
}

export async function deleteBucket(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  await allowedBucket(call, "bucket.write");
  await deps.state.deleteBucket(caller.principal, request.bucket);
  deps.buckets.clear();
  answerEmpty(call.response, 204);
}

/** An empty constraint means us-east-1. */
export async function getBucketLocation(call: Call): Promise<void> {
  await allowedBucket(call, "bucket.list");
  answerXml(call.response, 200, xmlDocument("LocationConstraint", []));
}
