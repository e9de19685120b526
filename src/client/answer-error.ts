import { ERROR_CODES, type ErrorCode, SluiceError } from "../core/errors.ts";

/** What a status means when the server names no code of ours: an OSCAR cluster, a proxy, a newer Sluice. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "REQUEST_INVALID",
  401: "UNAUTHENTICATED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  409: "JOB_STATE",
  413: "BODY_TOO_LARGE",
  415: "MEDIA_TYPE_UNSUPPORTED",
  421: "HOST_REFUSED",
  429: "OVERLOADED",
  502: "UNREACHABLE",
  503: "STOPPING",
  504: "UNREACHABLE",
  507: "DISK_FULL",
};

/** Longer texts are pages of a proxy, not sentences. */
const LONGEST_SENTENCE = 2000;

/** The error that an answer of 400 and more stands for: the server's own code and sentence where it gives them. */
export async function answerError(response: Response, what: string): Promise<SluiceError> {
  const text = await response.text().catch(() => "");
  const type = response.headers.get("content-type") ?? "";
  const problem = type.startsWith("application/problem+json") ? parsed(text) : {};
  const code = knownCode(problem.code) ?? knownCode(response.headers.get("sluice-error-code"));
  const sentence = typeof problem.detail === "string" ? problem.detail : plainSentence(type, text);
  const details = typeof problem.details === "object" && problem.details !== null ? { ...problem.details } : {};
  return new SluiceError(
    code ?? CODE_OF_STATUS[response.status] ?? "INTERNAL",
    sentence ?? `Cannot ${what}: the server answered ${response.status}`,
    { details: { ...details, status: response.status } },
  );
}

function plainSentence(type: string, text: string): string | null {
  const sentence = text.trim();
  return type.startsWith("text/plain") && sentence !== "" && sentence.length <= LONGEST_SENTENCE ? sentence : null;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** A code of ours as another program sends it; null for others. */
export const knownCode = (code: unknown): ErrorCode | null =>
  typeof code === "string" && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : null;

/** Reasons of Node's fetch in words; browsers give none. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host's name cannot be looked up now",
  ECONNRESET: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no network",
  ETIMEDOUT: "it does not answer",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
  UND_ERR_HEADERS_TIMEOUT: "it does not answer",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by nobody this machine trusts",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by nobody this machine trusts",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is signed by nobody this machine trusts",
};

/** The error of a call that got no answer, or only half of one. */
export function unreachable(endpoint: string, cause: unknown): SluiceError {
  return new SluiceError(
    "UNREACHABLE",
    `Cannot reach the server at ${endpoint}: ${reason(cause)} (start it with "npx sluice up", or name another with --endpoint)`,
    { cause },
  );
}

/** The error of an answer that no API of ours gives. */
export function notOurs(endpoint: string, cause: unknown): SluiceError {
  return new SluiceError(
    "UNREACHABLE",
    `Cannot understand the server at ${endpoint}: its answer is not JSON (is that the address of the API?)`,
    { cause },
  );
}

function reason(cause: unknown): string {
  if (cause instanceof Error && cause.name === "TimeoutError") return "it does not answer";
  const code = causeCode(cause);
  return REASONS[code] ?? (code === "" ? "the connection failed" : code);
}

/** The operating system's or undici's code, wherever in the chain of causes it is. */
export function causeCode(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return "";
}
