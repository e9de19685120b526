import { type S3Code, s3Error } from "../../s3/errors.ts";
import { childrenNamed, childText, type XmlElement } from "../../s3/xml-element.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import { answerEmpty, answerXml } from "../answer.ts";
import { readSmallBody } from "../body.ts";
import { allowedBucket, type Call, type Operation } from "../call.ts";
import { personElement } from "../elements.ts";
import { findObject } from "../find-object.ts";
import { refuseAcl } from "../object-headers.ts";
import { parseXmlBody } from "../xml-body.ts";

/** What can be asked of every bucket and always has the same answer here. */
const document =
  (text: string): Operation =>
  async (call) => {
    await allowedBucket(call, "bucket.list");
    answerXml(call.response, 200, text);
  };

const none =
  (code: S3Code, what: string): Operation =>
  async (call) => {
    await allowedBucket(call, "bucket.list");
    throw s3Error(code, `Cannot find ${what}: the bucket has none`, { BucketName: call.request.bucket });
  };

export const getBucketAccelerate = document(xmlDocument("AccelerateConfiguration", []));
export const getBucketLogging = document(xmlDocument("BucketLoggingStatus", []));
export const getBucketRequestPayment = document(
  xmlDocument("RequestPaymentConfiguration", [element("Payer", "BucketOwner")]),
);
export const getBucketOwnershipControls = document(
  xmlDocument("OwnershipControls", [element("Rule", [element("ObjectOwnership", "BucketOwnerEnforced")])]),
);
export const getBucketPolicyStatus = document(xmlDocument("PolicyStatus", [element("IsPublic", false)]));
export const getBucketEncryption = none(
  "ServerSideEncryptionConfigurationNotFoundError",
  "an encryption configuration",
);
export const getBucketReplication = none("ReplicationConfigurationNotFoundError", "a replication configuration");
export const getBucketWebsite = none("NoSuchWebsiteConfiguration", "a website configuration");
export const getObjectLockConfiguration = none("ObjectLockConfigurationNotFoundError", "an object lock configuration");
export const getPublicAccessBlock = none("NoSuchPublicAccessBlockConfiguration", "a public access block");

/** Everything belongs to its owner alone. */
export async function getBucketAcl(call: Call): Promise<void> {
  const { owner } = await allowedBucket(call, "bucket.list");
  answerXml(call.response, 200, aclDocument(owner));
}

export async function getObjectAcl(call: Call): Promise<void> {
  await findObject(call, "object.read");
  const { owner } = await allowedBucket(call, "object.read");
  answerXml(call.response, 200, aclDocument(owner));
}

/** `private` is what is so already, said in a header or as the list that getting it answers; anything else is refused. */
export async function putBucketAcl(call: Call): Promise<void> {
  const { owner } = await allowedBucket(call, "bucket.write");
  await checkAcl(call, owner);
}

export async function putObjectAcl(call: Call): Promise<void> {
  await findObject(call, "object.write");
  const { owner } = await allowedBucket(call, "object.write");
  await checkAcl(call, owner);
}

const MAX_ACL_BYTES = 64 * 1024;

async function checkAcl(call: Call, owner: string): Promise<void> {
  refuseAcl(call.request.headers);
  const body = await readSmallBody(call, MAX_ACL_BYTES);
  if (body.length > 0 && !isPrivate(parseXmlBody(body, "AccessControlPolicy"), owner)) {
    throw s3Error("AccessControlListNotSupported", 'Cannot set an access control list: only "private" is supported');
  }
  answerEmpty(call.response, 200);
}

function isPrivate(policy: XmlElement, owner: string): boolean {
  const grants = childrenNamed(policy, "AccessControlList").flatMap((list) => childrenNamed(list, "Grant"));
  const isOwners = (grant: XmlElement): boolean => {
    const [grantee] = childrenNamed(grant, "Grantee");
    return (
      grantee !== undefined && childText(grantee, "ID") === owner && childText(grant, "Permission") === "FULL_CONTROL"
    );
  };
  return grants.length > 0 && grants.every(isOwners);
}

function aclDocument(owner: string): string {
  const grantee = personElement("Grantee", owner).replace(
    "<Grantee>",
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">',
  );
  return xmlDocument("AccessControlPolicy", [
    personElement("Owner", owner),
    element("AccessControlList", [element("Grant", [grantee, element("Permission", "FULL_CONTROL")])]),
  ]);
}
