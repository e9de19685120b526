import { describe, expect, it } from "vitest";
import { headerTable } from "./canonical-request.ts";
import { toS3Failure } from "./errors.ts";
import { readPayload } from "./payload.ts";

describe("readPayload", () => {
  const headers = headerTable(["x-amz-trailer", "X-Amz-Checksum-CRC32, x-other"]);
  const trailers = ["x-amz-checksum-crc32", "x-other"];

  it.each([
    ["UNSIGNED-PAYLOAD", { kind: "unsigned" }],
    ["AB".repeat(32), { kind: "hashed", sha256: "ab".repeat(32) }],
    ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", { kind: "chunked", signed: true, trailers: [] }],
    ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", { kind: "chunked", signed: true, trailers }],
    ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", { kind: "chunked", signed: false, trailers }],
  ])("reads %s", (value, payload) => {
    expect(readPayload(value, headers)).toEqual(payload);
  });

  it.each([
    ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"],
    ["", "InvalidRequest"],
    ["abc", "InvalidRequest"],
  ])("refuses %j", (value, code) => {
    try {
      readPayload(value, headers);
      expect.unreachable();
    } catch (error) {
      expect(toS3Failure(error).code).toBe(code);
    }
  });
});
