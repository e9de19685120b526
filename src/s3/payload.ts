import { type HeaderTable, header } from "./canonical-request.ts";
import { s3Error } from "./errors.ts";

/** How a body is sent and what vouches for it, as `x-amz-content-sha256` says. */
export type Payload =
  | { readonly kind: "unsigned" }
  | { readonly kind: "hashed"; readonly sha256: string }
  | { readonly kind: "chunked"; readonly signed: boolean; readonly trailers: readonly string[] };

/** @throws SluiceError S3 InvalidRequest, NotImplemented
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html */
export function readPayload(payloadHash: string, headers: HeaderTable): Payload {
  switch (payloadHash) {
    case "UNSIGNED-PAYLOAD":
      return { kind: "unsigned" };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
      return { kind: "chunked", signed: true, trailers: [] };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      return { kind: "chunked", signed: true, trailers: trailerNames(headers) };
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
      return { kind: "chunked", signed: false, trailers: trailerNames(headers) };
    default:
      return hashedPayload(payloadHash);
  }
}

function hashedPayload(payloadHash: string): Payload {
  if (payloadHash.startsWith("STREAMING-")) {
    throw s3Error("NotImplemented", `Cannot read a body sent as ${JSON.stringify(payloadHash)}: use AWS4-HMAC-SHA256`);
  }
  if (!/^[0-9a-fA-F]{64}$/.test(payloadHash)) {
    throw s3Error("InvalidRequest", "Cannot use x-amz-content-sha256: it is neither a SHA-256 in hex nor a known name");
  }
  return { kind: "hashed", sha256: payloadHash.toLowerCase() };
}

function trailerNames(headers: HeaderTable): string[] {
  return (header(headers, "x-amz-trailer") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}
