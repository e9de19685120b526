import { type ErrorCode, SluiceError } from "../core/errors.ts";

/** S3's own error codes that the store answers: HTTP status, and the code inside Sluice that means the same.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (XMinioStorageFull is MinIO's, S3 has no such state) */
export const S3_ERRORS = {
  AccessDenied: { status: 403, code: "FORBIDDEN" },
  AccessControlListNotSupported: { status: 400, code: "UNSUPPORTED" },
  AccessForbidden: { status: 403, code: "FORBIDDEN" },
  AuthorizationQueryParametersError: { status: 400, code: "UNAUTHENTICATED" },
  AuthorizationHeaderMalformed: { status: 400, code: "UNAUTHENTICATED" },
  BadDigest: { status: 400, code: "CHECKSUM_MISMATCH" },
  BadRequest: { status: 400, code: "REQUEST_INVALID" },
  BucketAlreadyExists: { status: 409, code: "BUCKET_EXISTS" },
  BucketAlreadyOwnedByYou: { status: 409, code: "BUCKET_EXISTS" },
  BucketNotEmpty: { status: 409, code: "BUCKET_NOT_EMPTY" },
  Conflict: { status: 409, code: "SERVICE_EXISTS" },
  EntityTooLarge: { status: 400, code: "BODY_TOO_LARGE" },
  IllegalVersioningConfigurationException: { status: 400, code: "REQUEST_INVALID" },
  IncompleteBody: { status: 400, code: "BODY_TRUNCATED" },
  InternalError: { status: 500, code: "INTERNAL" },
  InvalidAccessKeyId: { status: 403, code: "UNAUTHENTICATED" },
  InvalidArgument: { status: 400, code: "REQUEST_INVALID" },
  InvalidBucketName: { status: 400, code: "BUCKET_NAME_INVALID" },
  InvalidDigest: { status: 400, code: "REQUEST_INVALID" },
  EntityTooSmall: { status: 400, code: "REQUEST_INVALID" },
  InvalidPartNumber: { status: 416, code: "RANGE_INVALID" },
  InvalidPartOrder: { status: 400, code: "REQUEST_INVALID" },
  InvalidTag: { status: 400, code: "REQUEST_INVALID" },
  NoSuchVersion: { status: 404, code: "OBJECT_UNKNOWN" },
  IncorrectNumberOfFilesInPostRequest: { status: 400, code: "REQUEST_INVALID" },
  InvalidPolicyDocument: { status: 400, code: "REQUEST_INVALID" },
  MalformedPOSTRequest: { status: 400, code: "REQUEST_INVALID" },
  MaxPostPreDataLengthExceededError: { status: 400, code: "REQUEST_INVALID" },
  InvalidPart: { status: 400, code: "PART_INVALID" },
  InvalidRange: { status: 416, code: "RANGE_INVALID" },
  InvalidRequest: { status: 400, code: "REQUEST_INVALID" },
  InvalidURI: { status: 400, code: "KEY_INVALID" },
  KeyTooLongError: { status: 400, code: "KEY_INVALID" },
  MalformedPolicy: { status: 400, code: "REQUEST_INVALID" },
  MalformedTrailerError: { status: 400, code: "REQUEST_INVALID" },
  MalformedXML: { status: 400, code: "REQUEST_INVALID" },
  MetadataTooLarge: { status: 400, code: "REQUEST_INVALID" },
  MethodNotAllowed: { status: 405, code: "METHOD_NOT_ALLOWED" },
  MisdirectedRequest: { status: 421, code: "HOST_REFUSED" },
  MissingContentLength: { status: 411, code: "REQUEST_INVALID" },
  NoSuchBucketPolicy: { status: 404, code: "NOT_FOUND" },
  NoSuchCORSConfiguration: { status: 404, code: "NOT_FOUND" },
  NoSuchLifecycleConfiguration: { status: 404, code: "NOT_FOUND" },
  NoSuchPublicAccessBlockConfiguration: { status: 404, code: "NOT_FOUND" },
  NoSuchTagSet: { status: 404, code: "NOT_FOUND" },
  NoSuchWebsiteConfiguration: { status: 404, code: "NOT_FOUND" },
  ObjectLockConfigurationNotFoundError: { status: 404, code: "NOT_FOUND" },
  ReplicationConfigurationNotFoundError: { status: 404, code: "NOT_FOUND" },
  ServerSideEncryptionConfigurationNotFoundError: { status: 404, code: "NOT_FOUND" },
  NoSuchBucket: { status: 404, code: "BUCKET_UNKNOWN" },
  NoSuchKey: { status: 404, code: "OBJECT_UNKNOWN" },
  NoSuchUpload: { status: 404, code: "UPLOAD_UNKNOWN" },
  NotFound: { status: 404, code: "NOT_FOUND" },
  NotImplemented: { status: 501, code: "UNSUPPORTED" },
  PreconditionFailed: { status: 412, code: "PRECONDITION_FAILED" },
  RequestHeaderSectionTooLarge: { status: 400, code: "REQUEST_INVALID" },
  RequestTimeTooSkewed: { status: 403, code: "UNAUTHENTICATED" },
  RequestTimeout: { status: 400, code: "BODY_TRUNCATED" },
  ServiceUnavailable: { status: 503, code: "STOPPING" },
  SignatureDoesNotMatch: { status: 403, code: "UNAUTHENTICATED" },
  SlowDown: { status: 503, code: "OVERLOADED" },
  XAmzContentSHA256Mismatch: { status: 400, code: "CHECKSUM_MISMATCH" },
  XMinioStorageFull: { status: 507, code: "DISK_FULL" },
} as const satisfies Record<string, { status: number; code: ErrorCode }>;

export type S3Code = keyof typeof S3_ERRORS;

/** What the S3 port answers for a code of ours when the thrower named no S3 code. */
export const S3_CODE_OF: Record<ErrorCode, S3Code> = {
  USAGE: "InvalidRequest",
  REQUEST_INVALID: "InvalidRequest",
  CONFIG_INVALID: "InternalError",
  FDL_INVALID: "InvalidRequest",
  SERVICE_INVALID: "InvalidRequest",
  SERVICE_LOOP: "InvalidRequest",
  IMAGE_UNSUPPORTED: "InvalidRequest",
  IMAGE_UNKNOWN: "InvalidRequest",
  IMAGE_DENIED: "AccessDenied",
  REGISTRY_UNREACHABLE: "SlowDown",
  EGRESS_REFUSED: "InvalidRequest",
  EGRESS_FAILED: "SlowDown",
  IMAGE_IN_USE: "InvalidRequest",
  IMAGE_INVALID: "InvalidRequest",
  NETWORK_UNSUPPORTED: "InvalidRequest",
  RESOURCES_TOO_LARGE: "InvalidRequest",
  SERVICE_UNKNOWN: "NotFound",
  SERVICE_EXISTS: "Conflict",
  JOB_UNKNOWN: "NotFound",
  JOB_STATE: "Conflict",
  BUCKET_UNKNOWN: "NoSuchBucket",
  BUCKET_EXISTS: "BucketAlreadyExists",
  BUCKET_NOT_EMPTY: "BucketNotEmpty",
  BUCKET_NAME_INVALID: "InvalidBucketName",
  OBJECT_UNKNOWN: "NoSuchKey",
  UPLOAD_UNKNOWN: "NoSuchUpload",
  PART_INVALID: "InvalidPart",
  KEY_INVALID: "InvalidURI",
  PRECONDITION_FAILED: "PreconditionFailed",
  RANGE_INVALID: "InvalidRange",
  CHECKSUM_MISMATCH: "BadDigest",
  BODY_TRUNCATED: "IncompleteBody",
  BODY_TOO_LARGE: "EntityTooLarge",
  MEDIA_TYPE_UNSUPPORTED: "InvalidRequest",
  UNAUTHENTICATED: "AccessDenied",
  FORBIDDEN: "AccessDenied",
  HOST_REFUSED: "MisdirectedRequest",
  CROSS_SITE: "AccessDenied",
  LEASE_STALE: "Conflict",
  OUTPUT_CONFLICT: "Conflict",
  OUTPUT_INVALID: "InvalidRequest",
  STOPPING: "ServiceUnavailable",
  OVERLOADED: "SlowDown",
  DISK_FULL: "XMinioStorageFull",
  DATA_CORRUPT: "InternalError",
  DATA_DIR_LOCKED: "InternalError",
  DATA_DIR_NEWER: "InternalError",
  DATA_DIR_NETWORK: "InternalError",
  DATA_DIR_INVALID: "InternalError",
  BACKUP_INVALID: "InternalError",
  SANDBOX_UNAVAILABLE: "ServiceUnavailable",
  UNREACHABLE: "ServiceUnavailable",
  NOT_FOUND: "NotFound",
  METHOD_NOT_ALLOWED: "MethodNotAllowed",
  UNSUPPORTED: "NotImplemented",
  INTERNAL: "InternalError",
};

/** A SluiceError that the S3 port answers with this code; its `details.s3` says so. `fields` become elements of the answer's XML. */
export function s3Error(s3: S3Code, message: string, fields: Record<string, string> = {}): SluiceError {
  return new SluiceError(S3_ERRORS[s3].code, message, { details: { ...fields, s3 } });
}

/** The form in which an error goes over the wire. */
export interface S3Failure {
  readonly code: S3Code;
  readonly status: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Any error as S3 says it. What is no SluiceError is a defect: its text stays inside. */
export function toS3Failure(error: unknown): S3Failure {
  if (!(error instanceof SluiceError)) {
    const message = "Cannot answer the request: a defect in the server (its log has the details)";
    return { code: "InternalError", status: 500, message, fields: {} };
  }
  const { s3, ...rest } = error.details ?? {};
  const code = isS3Code(s3) ? s3 : S3_CODE_OF[error.code];
  const fields = Object.fromEntries(
    Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  return { code, status: S3_ERRORS[code].status, message: error.message, fields };
}

function isS3Code(value: unknown): value is S3Code {
  return typeof value === "string" && Object.hasOwn(S3_ERRORS, value);
}
