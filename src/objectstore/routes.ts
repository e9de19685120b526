import type { Operation } from "./call.ts";
import {
  deleteBucketCors,
  deleteBucketLifecycle,
  deleteBucketPolicy,
  deleteBucketTagging,
  getBucketCors,
  getBucketLifecycle,
  getBucketNotification,
  getBucketPolicy,
  getBucketTagging,
  putBucketCors,
  putBucketLifecycle,
  putBucketNotification,
  putBucketPolicy,
  putBucketTagging,
} from "./operations/bucket-configurations.ts";
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from "./operations/buckets.ts";
import { copyObject } from "./operations/copy-object.ts";
import { deleteObject } from "./operations/delete-object.ts";
import { deleteObjects } from "./operations/delete-objects.ts";
import {
  getBucketAccelerate,
  getBucketAcl,
  getBucketEncryption,
  getBucketLogging,
  getBucketOwnershipControls,
  getBucketPolicyStatus,
  getBucketReplication,
  getBucketRequestPayment,
  getBucketWebsite,
  getObjectAcl,
  getObjectLockConfiguration,
  getPublicAccessBlock,
  putBucketAcl,
  putObjectAcl,
} from "./operations/fixed-answers.ts";
import { getObject } from "./operations/get-object.ts";
import { listObjectsV1, listObjectsV2 } from "./operations/list-objects.ts";
import { listObjectVersions } from "./operations/list-versions.ts";
import { abortMultipartUpload } from "./operations/multipart/abort-upload.ts";
import { completeMultipartUpload } from "./operations/multipart/complete-upload.ts";
import { createMultipartUpload } from "./operations/multipart/create-upload.ts";
import { listParts } from "./operations/multipart/list-parts.ts";
import { listMultipartUploads } from "./operations/multipart/list-uploads.ts";
import { uploadPart } from "./operations/multipart/upload-part.ts";
import { uploadPartCopy } from "./operations/multipart/upload-part-copy.ts";
import { getObjectAttributes } from "./operations/object-attributes.ts";
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from "./operations/object-tagging.ts";
import { postObject } from "./operations/post-object.ts";
import { putObject } from "./operations/put-object.ts";
import { getBucketVersioning, putBucketVersioning } from "./operations/versioning.ts";

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
  row("CopyObject", "PUT", "object", null, copyObject, "x-amz-copy-source"),
  row("GetObject", "GET", "object", null, getObject),
  row("HeadObject", "HEAD", "object", null, getObject),
  row("DeleteObject", "DELETE", "object", null, deleteObject),
  row("DeleteObjects", "POST", "bucket", "delete", deleteObjects),
  row("PostObject", "POST", "bucket", null, postObject),
  row("GetBucketAccelerateConfiguration", "GET", "bucket", "accelerate", getBucketAccelerate),
  row("PutBucketAccelerateConfiguration", "PUT", "bucket", "accelerate"),
  row("GetBucketAcl", "GET", "bucket", "acl", getBucketAcl),
  row("PutBucketAcl", "PUT", "bucket", "acl", putBucketAcl),
  row("GetBucketAnalyticsConfiguration", "GET", "bucket", "analytics"),
  row("PutBucketAnalyticsConfiguration", "PUT", "bucket", "analytics"),
  row("DeleteBucketAnalyticsConfiguration", "DELETE", "bucket", "analytics"),
  row("GetBucketCors", "GET", "bucket", "cors", getBucketCors),
  row("PutBucketCors", "PUT", "bucket", "cors", putBucketCors),
  row("DeleteBucketCors", "DELETE", "bucket", "cors", deleteBucketCors),
  row("GetBucketEncryption", "GET", "bucket", "encryption", getBucketEncryption),
  row("PutBucketEncryption", "PUT", "bucket", "encryption"),
  row("DeleteBucketEncryption", "DELETE", "bucket", "encryption"),
  row("GetBucketIntelligentTieringConfiguration", "GET", "bucket", "intelligent-tiering"),
  row("PutBucketIntelligentTieringConfiguration", "PUT", "bucket", "intelligent-tiering"),
  row("DeleteBucketIntelligentTieringConfiguration", "DELETE", "bucket", "intelligent-tiering"),
  row("GetBucketInventoryConfiguration", "GET", "bucket", "inventory"),
  row("PutBucketInventoryConfiguration", "PUT", "bucket", "inventory"),
  row("DeleteBucketInventoryConfiguration", "DELETE", "bucket", "inventory"),
  row("GetBucketLifecycleConfiguration", "GET", "bucket", "lifecycle", getBucketLifecycle),
  row("PutBucketLifecycleConfiguration", "PUT", "bucket", "lifecycle", putBucketLifecycle),
  row("DeleteBucketLifecycle", "DELETE", "bucket", "lifecycle", deleteBucketLifecycle),
  row("GetBucketLogging", "GET", "bucket", "logging", getBucketLogging),
  row("PutBucketLogging", "PUT", "bucket", "logging"),
  row("GetBucketMetricsConfiguration", "GET", "bucket", "metrics"),
  row("PutBucketMetricsConfiguration", "PUT", "bucket", "metrics"),
  row("DeleteBucketMetricsConfiguration", "DELETE", "bucket", "metrics"),
  row("GetBucketNotificationConfiguration", "GET", "bucket", "notification", getBucketNotification),
  row("PutBucketNotificationConfiguration", "PUT", "bucket", "notification", putBucketNotification),
  row("GetObjectLockConfiguration", "GET", "bucket", "object-lock", getObjectLockConfiguration),
  row("PutObjectLockConfiguration", "PUT", "bucket", "object-lock"),
  row("GetBucketOwnershipControls", "GET", "bucket", "ownershipControls", getBucketOwnershipControls),
  row("PutBucketOwnershipControls", "PUT", "bucket", "ownershipControls"),
  row("DeleteBucketOwnershipControls", "DELETE", "bucket", "ownershipControls"),
  row("GetBucketPolicy", "GET", "bucket", "policy", getBucketPolicy),
  row("PutBucketPolicy", "PUT", "bucket", "policy", putBucketPolicy),
  row("DeleteBucketPolicy", "DELETE", "bucket", "policy", deleteBucketPolicy),
  row("GetBucketPolicyStatus", "GET", "bucket", "policyStatus", getBucketPolicyStatus),
  row("GetPublicAccessBlock", "GET", "bucket", "publicAccessBlock", getPublicAccessBlock),
  row("PutPublicAccessBlock", "PUT", "bucket", "publicAccessBlock"),
  row("DeletePublicAccessBlock", "DELETE", "bucket", "publicAccessBlock"),
  row("GetBucketReplication", "GET", "bucket", "replication", getBucketReplication),
  row("PutBucketReplication", "PUT", "bucket", "replication"),
  row("DeleteBucketReplication", "DELETE", "bucket", "replication"),
  row("GetBucketRequestPayment", "GET", "bucket", "requestPayment", getBucketRequestPayment),
  row("PutBucketRequestPayment", "PUT", "bucket", "requestPayment"),
  row("CreateSession", "GET", "bucket", "session"),
  row("GetBucketTagging", "GET", "bucket", "tagging", getBucketTagging),
  row("PutBucketTagging", "PUT", "bucket", "tagging", putBucketTagging),
  row("DeleteBucketTagging", "DELETE", "bucket", "tagging", deleteBucketTagging),
  row("ListMultipartUploads", "GET", "bucket", "uploads", listMultipartUploads),
  row("GetBucketVersioning", "GET", "bucket", "versioning", getBucketVersioning),
  row("PutBucketVersioning", "PUT", "bucket", "versioning", putBucketVersioning),
  row("ListObjectVersions", "GET", "bucket", "versions", listObjectVersions),
  row("GetBucketWebsite", "GET", "bucket", "website", getBucketWebsite),
  row("PutBucketWebsite", "PUT", "bucket", "website"),
  row("DeleteBucketWebsite", "DELETE", "bucket", "website"),
  row("GetObjectAcl", "GET", "object", "acl", getObjectAcl),
  row("PutObjectAcl", "PUT", "object", "acl", putObjectAcl),
  row("GetObjectAttributes", "GET", "object", "attributes", getObjectAttributes),
  row("GetObjectLegalHold", "GET", "object", "legal-hold"),
  row("PutObjectLegalHold", "PUT", "object", "legal-hold"),
  row("RenameObject", "PUT", "object", "renameObject"),
  row("RestoreObject", "POST", "object", "restore"),
  row("GetObjectRetention", "GET", "object", "retention"),
  row("PutObjectRetention", "PUT", "object", "retention"),
  row("SelectObjectContent", "POST", "object", "select"),
  row("GetObjectTagging", "GET", "object", "tagging", getObjectTagging),
  row("PutObjectTagging", "PUT", "object", "tagging", putObjectTagging),
  row("DeleteObjectTagging", "DELETE", "object", "tagging", deleteObjectTagging),
  row("GetObjectTorrent", "GET", "object", "torrent"),
  row("ListParts", "GET", "object", "uploadId", listParts),
  row("UploadPart", "PUT", "object", "uploadId", uploadPart),
  row("UploadPartCopy", "PUT", "object", "uploadId", uploadPartCopy, "x-amz-copy-source"),
  row("CompleteMultipartUpload", "POST", "object", "uploadId", completeMultipartUpload),
  row("AbortMultipartUpload", "DELETE", "object", "uploadId", abortMultipartUpload),
  row("CreateMultipartUpload", "POST", "object", "uploads", createMultipartUpload),
  row("GetObjectVersion", "GET", "object", "versionId", getObject),
  row("HeadObjectVersion", "HEAD", "object", "versionId", getObject),
  row("DeleteObjectVersion", "DELETE", "object", "versionId", deleteObject),
  row("GetObjectPart", "GET", "object", "partNumber", getObject),
  row("HeadObjectPart", "HEAD", "object", "partNumber", getObject),
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
