import { s3Error } from "../../s3/errors.ts";
import { childText } from "../../s3/xml-element.ts";
import { element, xmlDocument } from "../../s3/xml-write.ts";
import { answerEmpty, answerXml } from "../answer.ts";
import { allowedBucket, type Call } from "../call.ts";
import { readXmlBody } from "../xml-body.ts";

const STATUS = { enabled: "Enabled", suspended: "Suspended" } as const;

/** GetBucketVersioning: a bucket that never had versions says nothing. */
export async function getBucketVersioning(call: Call): Promise<void> {
  const { versioning } = await allowedBucket(call, "bucket.list");
  const status = versioning === "off" ? [] : [element("Status", STATUS[versioning])];
  answerXml(call.response, 200, xmlDocument("VersioningConfiguration", status));
}

export async function putBucketVersioning(call: Call): Promise<void> {
  const { deps, request, caller } = call;
  await allowedBucket(call, "bucket.write");
  const root = await readXmlBody(call, "VersioningConfiguration");
  if (childText(root, "MfaDelete")?.toLowerCase() === "enabled") {
    throw s3Error(
      "NotImplemented",
      "Cannot ask for a second factor when versions are deleted: this server does not do that",
    );
  }
  const status = childText(root, "Status");
  if (status !== "Enabled" && status !== "Suspended") {
    throw s3Error(
      "IllegalVersioningConfigurationException",
      'Cannot set versioning: Status is neither "Enabled" nor "Suspended"',
    );
  }
  const versioning = status === "Enabled" ? "enabled" : "suspended";
  await deps.state.setVersioning(caller.principal, request.bucket, versioning);
  deps.buckets.clear();
  answerEmpty(call.response, 200);
}
