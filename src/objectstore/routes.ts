import type { Operation } from "./call.ts";
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from "./operations/buckets.ts";
import { deleteObject } from "./operations/delete-object.ts";
import { getObject } from "./operations/get-object.ts";
import { listObjectsV1, listObjectsV2 } from "./operations/list-objects.ts";
import { putObject } from "./operations/put-object.ts";

/** One S3 call: how it is told from the others, and what answers it. `docs/reference/s3.md` lists the same rows; a test holds both together. */
export interface Route {
  /** AWS's name; calls on a version or a part of an object have names of their own here. */
  readonly operation: string;
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly target: "service" | "bucket" | "object";
  /** The parameter whose presence makes it this call. */
  readonly query: string | null;
  /** The header whose presence makes it this call. */
  readonly header: string | null;
  /** Null: the call exists in S3 and is answered NotImplemented. */
  readonly handler: Operation | null;
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html */
export const ROUTES: readonly Route[] = [
  row("ListBuckets", "GET", "service", null, listBuckets),
  row("CreateBucket", "PUT", "bucket", null, createBucket),
  row("HeadBucket", "HEAD", "bucket", null, headBucket),
  row("DeleteBucket", "DELETE", "bucket", null, deleteBucket),
  row("ListObjects", "GET", "bucket", null, listObjectsV1),
  row("ListObjectsV2", "GET", "bucket", "list-type", listObjectsV2),
  row("GetBucketLocation", "GET", "bucket", "location", getBucketLocation),
  row("PutObject", "PUT", "object", null, putObject),
  row("CopyObject", "PUT", "object", null, null, "x-amz-copy-source"),
  row("GetObject", "GET", "object", null, getObject),
  row("HeadObject", "HEAD", "object", null, getObject),
  row("DeleteObject", "DELETE", "object", null, deleteObject),
  row("DeleteObjects", "POST", "bucket", "delete"),
  row("PostObject", "POST", "bucket", null),
  row("GetBucketAccelerateConfiguration", "GET", "bucket", "accelerate"),
  row("PutBucketAccelerateConfiguration", "PUT", "bucket", "accelerate"),
  row("GetBucketAcl", "GET", "bucket", "acl"),
  row("PutBucketAcl", "PUT", "bucket", "acl"),
  row("GetBucketAnalyticsConfiguration", "GET", "bucket", "analytics"),
  row("PutBucketAnalyticsConfiguration", "PUT", "bucket", "analytics"),
  row("DeleteBucketAnalyticsConfiguration", "DELETE", "bucket", "analytics"),
  row("GetBucketCors", "GET", "bucket", "cors"),
  row("PutBucketCors", "PUT", "bucket", "cors"),
  row("DeleteBucketCors", "DELETE", "bucket", "cors"),
  row("GetBucketEncryption", "GET", "bucket", "encryption"),
  row("PutBucketEncryption", "PUT", "bucket", "encryption"),
  row("DeleteBucketEncryption", "DELETE", "bucket", "encryption"),
  row("GetBucketIntelligentTieringConfiguration", "GET", "bucket", "intelligent-tiering"),
  row("PutBucketIntelligentTieringConfiguration", "PUT", "bucket", "intelligent-tiering"),
  row("DeleteBucketIntelligentTieringConfiguration", "DELETE", "bucket", "intelligent-tiering"),
  row("GetBucketInventoryConfiguration", "GET", "bucket", "inventory"),
  row("PutBucketInventoryConfiguration", "PUT", "bucket", "inventory"),
  row("DeleteBucketInventoryConfiguration", "DELETE", "bucket", "inventory"),
  row("GetBucketLifecycleConfiguration", "GET", "bucket", "lifecycle"),
  row("PutBucketLifecycleConfiguration", "PUT", "bucket", "lifecycle"),
  row("DeleteBucketLifecycle", "DELETE", "bucket", "lifecycle"),
  row("GetBucketLogging", "GET", "bucket", "logging"),
  row("PutBucketLogging", "PUT", "bucket", "logging"),
  row("GetBucketMetricsConfiguration", "GET", "bucket", "metrics"),
  row("PutBucketMetricsConfiguration", "PUT", "bucket", "metrics"),
  row("DeleteBucketMetricsConfiguration", "DELETE", "bucket", "metrics"),
  row("GetBucketNotificationConfiguration", "GET", "bucket", "notification"),
  row("PutBucketNotificationConfiguration", "PUT", "bucket", "notification"),
  row("GetObjectLockConfiguration", "GET", "bucket", "object-lock"),
  row("PutObjectLockConfiguration", "PUT", "bucket", "object-lock"),
  row("GetBucketOwnershipControls", "GET", "bucket", "ownershipControls"),
  row("PutBucketOwnershipControls", "PUT", "bucket", "ownershipControls"),
  row("DeleteBucketOwnershipControls", "DELETE", "bucket", "ownershipControls"),
  row("GetBucketPolicy", "GET", "bucket", "policy"),
  row("PutBucketPolicy", "PUT", "bucket", "policy"),
  row("DeleteBucketPolicy", "DELETE", "bucket", "policy"),
  row("GetBucketPolicyStatus", "GET", "bucket", "policyStatus"),
  row("GetPublicAccessBlock", "GET", "bucket", "publicAccessBlock"),
  row("PutPublicAccessBlock", "PUT", "bucket", "publicAccessBlock"),
  row("DeletePublicAccessBlock", "DELETE", "bucket", "publicAccessBlock"),
  row("GetBucketReplication", "GET", "bucket", "replication"),
  row("PutBucketReplication", "PUT", "bucket", "replication"),
  row("DeleteBucketReplication", "DELETE", "bucket", "replication"),
  row("GetBucketRequestPayment", "GET", "bucket", "requestPayment"),
  row("PutBucketRequestPayment", "PUT", "bucket", "requestPayment"),
  row("CreateSession", "GET", "bucket", "session"),
  row("GetBucketTagging", "GET", "bucket", "tagging"),
  row("PutBucketTagging", "PUT", "bucket", "tagging"),
  row("DeleteBucketTagging", "DELETE", "bucket", "tagging"),
  row("ListMultipartUploads", "GET", "bucket", "uploads"),
  row("GetBucketVersioning", "GET", "bucket", "versioning"),
  row("PutBucketVersioning", "PUT", "bucket", "versioning"),
  row("ListObjectVersions", "GET", "bucket", "versions"),
  row("GetBucketWebsite", "GET", "bucket", "website"),
  row("PutBucketWebsite", "PUT", "bucket", "website"),
  row("DeleteBucketWebsite", "DELETE", "bucket", "website"),
  row("GetObjectAcl", "GET", "object", "acl"),
  row("PutObjectAcl", "PUT", "object", "acl"),
  row("GetObjectAttributes", "GET", "object", "attributes"),
  row("GetObjectLegalHold", "GET", "object", "legal-hold"),
  row("PutObjectLegalHold", "PUT", "object", "legal-hold"),
  row("RenameObject", "PUT", "object", "renameObject"),
  row("RestoreObject", "POST", "object", "restore"),
  row("GetObjectRetention", "GET", "object", "retention"),
  row("PutObjectRetention", "PUT", "object", "retention"),
  row("SelectObjectContent", "POST", "object", "select"),
  row("GetObjectTagging", "GET", "object", "tagging"),
  row("PutObjectTagging", "PUT", "object", "tagging"),
  row("DeleteObjectTagging", "DELETE", "object", "tagging"),
  row("GetObjectTorrent", "GET", "object", "torrent"),
  row("ListParts", "GET", "object", "uploadId"),
  row("UploadPart", "PUT", "object", "uploadId"),
  row("UploadPartCopy", "PUT", "object", "uploadId", null, "x-amz-copy-source"),
  row("CompleteMultipartUpload", "POST", "object", "uploadId"),
  row("AbortMultipartUpload", "DELETE", "object", "uploadId"),
  row("CreateMultipartUpload", "POST", "object", "uploads"),
  row("GetObjectVersion", "GET", "object", "versionId"),
  row("HeadObjectVersion", "HEAD", "object", "versionId"),
  row("DeleteObjectVersion", "DELETE", "object", "versionId"),
  row("GetObjectPart", "GET", "object", "partNumber"),
  row("HeadObjectPart", "HEAD", "object", "partNumber"),
];

function row(
  operation: string,
  method: Route["method"],
  target: Route["target"],
  query: string | null,
  handler: Operation | null = null,
  header: string | null = null,
): Route {
  return { operation, method, target, query, header, handler };
}
