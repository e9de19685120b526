import { s3Error } from "../../s3/errors.ts";
import { xmlDocument } from "../../s3/xml-write.ts";
import { readCors } from "../cors/rules.ts";
import { readLifecycle } from "../lifecycle/rules.ts";
import { MAX_BUCKET_TAGS, readTags } from "../tags.ts";
import { parseXmlBody } from "../xml-body.ts";
import {
  deleteConfiguration,
  getConfiguration,
  type KeptConfiguration,
  putConfiguration,
} from "./bucket-configuration.ts";

const TAGGING: KeptConfiguration = {
  kind: "tagging",
  contentType: "application/xml",
  absent: { code: "NoSuchTagSet", message: "Cannot find tags: the bucket has none" },
  putStatus: 204,
  check: (body) => readTags(parseXmlBody(body, "Tagging"), MAX_BUCKET_TAGS),
};

const LIFECYCLE: KeptConfiguration = {
  kind: "lifecycle",
  contentType: "application/xml",
  absent: { code: "NoSuchLifecycleConfiguration", message: "Cannot find a lifecycle: the bucket has none" },
  putStatus: 200,
  check: (body) => readLifecycle(parseXmlBody(body, "LifecycleConfiguration")),
};

const CORS: KeptConfiguration = {
  kind: "cors",
  contentType: "application/xml",
  absent: { code: "NoSuchCORSConfiguration", message: "Cannot find a CORS configuration: the bucket has none" },
  putStatus: 200,
  check: (body) => readCors(parseXmlBody(body, "CORSConfiguration")),
};

/** Kept and given back; who may do what is not decided by it. */
const POLICY: KeptConfiguration = {
  kind: "policy",
  contentType: "application/json",
  absent: { code: "NoSuchBucketPolicy", message: "Cannot find a policy: the bucket has none" },
  putStatus: 204,
  check: (body) => checkPolicy(body.toString("utf8")),
};

/** Kept and given back; what starts on new objects is said by services. */
const NOTIFICATION: KeptConfiguration = {
  kind: "notification",
  contentType: "application/xml",
  absent: { document: xmlDocument("NotificationConfiguration", []) },
  putStatus: 200,
  check: (body) => parseXmlBody(body, "NotificationConfiguration"),
};

export const getBucketCors = getConfiguration(CORS);
export const putBucketCors = putConfiguration(CORS);
export const deleteBucketCors = deleteConfiguration(CORS);
export const getBucketTagging = getConfiguration(TAGGING);
export const putBucketTagging = putConfiguration(TAGGING);
export const deleteBucketTagging = deleteConfiguration(TAGGING);
export const getBucketLifecycle = getConfiguration(LIFECYCLE);
export const putBucketLifecycle = putConfiguration(LIFECYCLE);
export const deleteBucketLifecycle = deleteConfiguration(LIFECYCLE);
export const getBucketPolicy = getConfiguration(POLICY);
export const putBucketPolicy = putConfiguration(POLICY);
export const deleteBucketPolicy = deleteConfiguration(POLICY);
export const getBucketNotification = getConfiguration(NOTIFICATION);
export const putBucketNotification = putConfiguration(NOTIFICATION);

const MAX_POLICY_BYTES = 20 * 1024;

function checkPolicy(text: string): void {
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES) throw malformed(`it is longer than ${MAX_POLICY_BYTES} bytes`);
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw malformed("it is no JSON");
  }
  if (policy === null || typeof policy !== "object" || !("Statement" in policy)) throw malformed("it has no Statement");
}

function malformed(what: string): Error {
  return s3Error("MalformedPolicy", `Cannot keep the policy: ${what}`);
}
