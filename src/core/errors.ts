/** Every failure a caller may tell apart: the HTTP status to answer, whether trying again can help, and what it means.
 *  `docs/reference/errors.md` lists the same table; a test holds both together. */
export const ERROR_CODES = {
  // The caller's mistakes
  USAGE: { status: 400, retryable: false, means: "The command line is not understood" },
  REQUEST_INVALID: { status: 400, retryable: false, means: "The request's body or parameters do not match the schema" },
  CONFIG_INVALID: {
    status: 500,
    retryable: false,
    means: "The server's configuration file, environment or flags are wrong",
  },
  FDL_INVALID: { status: 400, retryable: false, means: "A Functions Definition Language file has mistakes" },
  SERVICE_INVALID: { status: 400, retryable: false, means: "A service definition has mistakes" },
  SERVICE_LOOP: { status: 400, retryable: false, means: "The outputs of a service can feed its own input" },
  IMAGE_UNSUPPORTED: { status: 400, retryable: false, means: "This server cannot run the image the service names" },
  IMAGE_UNKNOWN: { status: 404, retryable: false, means: "The registry or file has no such image" },
  IMAGE_DENIED: { status: 403, retryable: false, means: "The registry does not give the image to these credentials" },
  REGISTRY_UNREACHABLE: {
    status: 503,
    retryable: true,
    means: "The image's registry cannot be reached or does not answer as it should",
  },
  EGRESS_REFUSED: { status: 400, retryable: false, means: "An address that this server does not call for its users" },
  EGRESS_FAILED: { status: 502, retryable: true, means: "A server outside does not answer, or not as it should" },
  IMAGE_IN_USE: { status: 409, retryable: true, means: "A running job needs the image" },
  IMAGE_INVALID: { status: 400, retryable: false, means: "The image's bytes are not what they should be" },
  NETWORK_UNSUPPORTED: {
    status: 400,
    retryable: false,
    means: "This machine cannot give the network mode the service asks for",
  },
  RESOURCES_TOO_LARGE: { status: 400, retryable: false, means: "The service asks for more than any worker has" },
  SERVICE_UNKNOWN: { status: 404, retryable: false, means: "No such service, or it belongs to somebody else" },
  SERVICE_EXISTS: { status: 409, retryable: false, means: "A service of that name exists" },
  JOB_UNKNOWN: { status: 404, retryable: false, means: "No such job, or it belongs to somebody else" },
  JOB_STATE: { status: 409, retryable: false, means: "The job's state does not allow that" },
  BUCKET_UNKNOWN: { status: 404, retryable: false, means: "No such bucket" },
  BUCKET_EXISTS: { status: 409, retryable: false, means: "A bucket of that name exists" },
  BUCKET_NOT_EMPTY: { status: 409, retryable: false, means: "The bucket still holds objects" },
  BUCKET_NAME_INVALID: { status: 400, retryable: false, means: "The bucket name breaks the naming rules" },
  OBJECT_UNKNOWN: { status: 404, retryable: false, means: "No such object" },
  UPLOAD_UNKNOWN: {
    status: 404,
    retryable: false,
    means: "No such multipart upload: it was aborted, completed, or never begun",
  },
  PART_INVALID: {
    status: 400,
    retryable: false,
    means: "A part that the upload is completed with was not uploaded like that",
  },
  KEY_INVALID: { status: 400, retryable: false, means: "The object key is not valid" },
  PRECONDITION_FAILED: { status: 412, retryable: false, means: "A condition of the request does not hold" },
  RANGE_INVALID: { status: 416, retryable: false, means: "The range lies outside the object" },
  CHECKSUM_MISMATCH: { status: 400, retryable: true, means: "The bytes received do not match the checksum sent" },
  BODY_TRUNCATED: { status: 400, retryable: true, means: "The connection ended before the whole body arrived" },
  BODY_TOO_LARGE: { status: 413, retryable: false, means: "The body is larger than this call accepts" },
  MEDIA_TYPE_UNSUPPORTED: {
    status: 415,
    retryable: false,
    means: "The body's content type is not one this call reads",
  },
  // Who is asking
  UNAUTHENTICATED: { status: 401, retryable: false, means: "Credentials are missing or wrong" },
  FORBIDDEN: { status: 403, retryable: false, means: "The credentials do not allow that" },
  HOST_REFUSED: { status: 421, retryable: false, means: "The Host header names no address of this server" },
  CROSS_SITE: { status: 403, retryable: false, means: "A page of another site tried to change something" },
  // Jobs and attempts
  LEASE_STALE: { status: 409, retryable: false, means: "Another attempt has taken over the job" },
  OUTPUT_CONFLICT: { status: 409, retryable: false, means: "An output has the key of another job's object" },
  OUTPUT_INVALID: { status: 400, retryable: false, means: "An output file cannot be kept" },
  // The machine
  STOPPING: { status: 503, retryable: true, means: "The server is stopping" },
  OVERLOADED: { status: 429, retryable: true, means: "Too many requests are waiting" },
  DISK_FULL: { status: 507, retryable: true, means: "The data directory's file system is full" },
  DATA_CORRUPT: { status: 500, retryable: false, means: "Stored bytes do not match their checksum" },
  DATA_DIR_LOCKED: { status: 409, retryable: true, means: "Another process uses the data directory" },
  DATA_DIR_NEWER: { status: 409, retryable: false, means: "A newer Sluice wrote the data directory" },
  DATA_DIR_NETWORK: { status: 400, retryable: false, means: "The data directory lies on a network file system" },
  DATA_DIR_INVALID: { status: 400, retryable: false, means: "The data directory cannot be used" },
  BACKUP_INVALID: { status: 400, retryable: false, means: "The backup cannot be made or restored" },
  SANDBOX_UNAVAILABLE: { status: 503, retryable: true, means: "This machine cannot start a sandbox" },
  UNREACHABLE: { status: 503, retryable: true, means: "The server cannot be reached" },
  NOT_FOUND: { status: 404, retryable: false, means: "No such page or call" },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, means: "The address does not answer that method" },
  UNSUPPORTED: { status: 501, retryable: false, means: "This version does not do that" },
  INTERNAL: { status: 500, retryable: true, means: "A defect in Sluice" },
} as const satisfies Record<string, { status: number; retryable: boolean; means: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The one exception type that crosses rooms. `message` is a whole sentence for the user in the grammar
 *  "what failed: the state (what to do)"; it never holds a secret. `details` is JSON for programs. */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SluiceError";
    this.code = code;
    this.details = options.details;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** True for a SluiceError, with `code` when given; works on errors that crossed a thread as plain objects too. */
export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code);
}
