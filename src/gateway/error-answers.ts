import { ERROR_CODES, type ErrorCode, isSluiceError, SluiceError } from "../core/errors.ts";
import type { Answer } from "./route.ts";
import type { Problem } from "./schemas/common.ts";

/** How a route's clients want to hear of errors. */
export interface ErrorForm {
  readonly errors: "oscar" | "problem";
  readonly statusOf?: Partial<Record<ErrorCode, number>>;
}

/** Seconds after which a busy or stopping server is worth another call. */
const RETRY_AFTER: Partial<Record<ErrorCode, number>> = {
  STOPPING: 5,
  OVERLOADED: 1,
  SANDBOX_UNAVAILABLE: 10,
  DISK_FULL: 30,
};

/** Any thrown thing as an error with a code. What is no SluiceError is a defect: its text may hold anything, so it stays in our log. */
export function asKnownError(error: unknown): SluiceError {
  if (isSluiceError(error)) return error;
  return new SluiceError("INTERNAL", "Cannot answer this call: something in Sluice failed (its log tells more)", {
    cause: error,
  });
}

/** The one place where errors become answers: OSCAR's calls get its plain text, ours RFC 9457; both name the code. */
export function errorAnswer(error: SluiceError, form: ErrorForm, requestId: string): Answer {
  const status = form.statusOf?.[error.code] ?? error.status;
  const headers = errorHeaders(error);
  if (form.errors === "oscar") return { status, headers, text: error.message };
  return { status, headers, json: problemOf(error, status, requestId), contentType: "application/problem+json" };
}

function errorHeaders(error: SluiceError): Record<string, string> {
  const retryAfter = RETRY_AFTER[error.code];
  return {
    "sluice-error-code": error.code,
    ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
  };
}

export function problemOf(error: SluiceError, status: number, requestId: string): Problem {
  return {
    type: "about:blank",
    title: ERROR_CODES[error.code].means,
    status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    request_id: requestId,
    ...(error.details === undefined ? {} : { details: { ...error.details } }),
  };
}
