import type { ErrorCode } from "../core/errors.ts";
import { SluiceError } from "../core/errors.ts";

/** Wrong usage or an invalid file. */
const USAGE_CODES: readonly ErrorCode[] = [
  "USAGE",
  "REQUEST_INVALID",
  "CONFIG_INVALID",
  "FDL_INVALID",
  "SERVICE_INVALID",
  "SERVICE_LOOP",
  "IMAGE_UNSUPPORTED",
  "NETWORK_UNSUPPORTED",
  "RESOURCES_TOO_LARGE",
  "BUCKET_NAME_INVALID",
  "KEY_INVALID",
];

/** Cannot reach, or not allowed. */
const ACCESS_CODES: readonly ErrorCode[] = [
  "UNREACHABLE",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "HOST_REFUSED",
  "CROSS_SITE",
];

/** 1 the work failed, 2 wrong usage or invalid file, 3 cannot reach or not allowed. */
export function exitCode(error: SluiceError): 1 | 2 | 3 {
  if (USAGE_CODES.includes(error.code)) return 2;
  return ACCESS_CODES.includes(error.code) ? 3 : 1;
}

/** Any thrown thing as an error with a code: what the operating system says about files and connections becomes a sentence,
 *  the rest is a defect. */
export function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const known = SYSTEM_ERRORS[error.code];
    const path = "path" in error && typeof error.path === "string" ? `"${error.path}"` : "the file";
    if (known) return new SluiceError(known.code, `Cannot use ${path}: ${known.state}`, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new SluiceError("INTERNAL", `Cannot go on: ${message} (a defect of Sluice; SLUICE_DEBUG=1 shows where)`, {
    cause: error,
  });
}

const SYSTEM_ERRORS: Readonly<Record<string, { readonly code: ErrorCode; readonly state: string }>> = {
  ENOENT: { code: "USAGE", state: "there is no such file or folder" },
  ENOTDIR: { code: "USAGE", state: "a part of the path is no folder" },
  EISDIR: { code: "USAGE", state: "it is a folder" },
  EEXIST: { code: "USAGE", state: "it exists already" },
  ELOOP: { code: "USAGE", state: "it is a symbolic link, or runs in a circle of them" },
  ENAMETOOLONG: { code: "USAGE", state: "the name is too long" },
  EACCES: { code: "FORBIDDEN", state: "this user may not" },
  EPERM: { code: "FORBIDDEN", state: "this user may not" },
  EROFS: { code: "FORBIDDEN", state: "the file system is read-only" },
  ENOSPC: { code: "DISK_FULL", state: "the disk is full" },
  EDQUOT: { code: "DISK_FULL", state: "the disk quota is used up" },
};

/** What a failed command prints on stderr. */
export function failureText(error: SluiceError, debug: boolean): string {
  const line = `sluice: ${error.code}: ${error.message}\n`;
  if (!debug) return line;
  const cause = error.cause instanceof Error ? `${error.cause.stack}\n` : "";
  return `${line}${error.stack}\n${cause}`;
}
