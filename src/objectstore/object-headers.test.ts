import { describe, expect, it } from "vitest";
import type { ObjectInfo } from "../core/object.ts";
import { headerTable } from "../s3/canonical-request.ts";
import { toS3Failure } from "../s3/errors.ts";
import { objectHeaders, readObjectHeaders } from "./object-headers.ts";

const wire = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

function s3CodeOf(headers: readonly string[]): string {
  try {
    readObjectHeaders(headerTable(headers));
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

describe("readObjectHeaders", () => {
  it("keeps the type, the standard headers and the metadata", () => {
    const headers = [
      "Content-Type",
      "text/plain",
      "Cache-Control",
      "no-store",
      "X-Amz-Meta-A",
      wire("é"),
      "x-amz-meta-a",
      "b",
      "x-amz-tagging",
      "k=v",
    ];
    expect(readObjectHeaders(headerTable([...headers, "Accept", "x"]))).toEqual({
      contentType: "text/plain",
      headers: { "cache-control": "no-store" },
      metadata: { a: "é,b" },
      tags: { k: "v" },
    });
  });

  it("keeps metadata of any name", () => {
    const { metadata } = readObjectHeaders(headerTable(["x-amz-meta-__proto__", "x", "x-amz-meta-constructor", "y"]));
    expect(JSON.stringify(metadata)).toBe('{"__proto__":"x","constructor":"y"}');
  });

  it("takes aws-chunked out of the encoding", () => {
    expect(readObjectHeaders(headerTable(["Content-Encoding", "aws-chunked"])).headers).toEqual({});
    expect(readObjectHeaders(headerTable(["Content-Encoding", "gzip, aws-chunked"])).headers).toEqual({
      "content-encoding": "gzip",
    });
  });

  it("allows 2,048 bytes of metadata, names and values together", () => {
    expect(s3CodeOf(["x-amz-meta-ab", "v".repeat(2046)])).toBe("none");
    expect(s3CodeOf(["x-amz-meta-ab", "v".repeat(2047)])).toBe("MetadataTooLarge");
  });

  it.each([
    [["x-amz-acl", "private"], "none"],
    [["x-amz-acl", "public-read"], "AccessControlListNotSupported"],
    [["x-amz-grant-read", "id=x"], "AccessControlListNotSupported"],
    [["x-amz-server-side-encryption", "AES256"], "NotImplemented"],
    [["x-amz-tagging", "a=b&a=c"], "InvalidTag"],
    [["x-amz-storage-class", "STANDARD"], "none"],
    [["x-amz-storage-class", "GLACIER"], "NotImplemented"],
    [["x-amz-meta-a", "\xff"], "InvalidArgument"],
  ])("answers %j with %s", (headers, code) => {
    expect(s3CodeOf(headers)).toBe(code);
  });
});

describe("objectHeaders", () => {
  const object: ObjectInfo = {
    bucket: "b",
    key: "k",
    versionSeq: 1,
    versionId: "null",
    isLatest: true,
    isDeleteMarker: false,
    sizeBytes: 1,
    etag: "abc",
    contentType: "text/plain; x=é",
    metadata: { name: "é" },
    headers: { expires: "never" },
    checksums: { crc32: "AAAAAA==" },
    tags: {},
    parts: null,
    lastModified: Date.UTC(2026, 0, 1),
    owner: "o",
    jobId: null,
  };

  it("writes one character a byte, and checksums only when asked", () => {
    const list = objectHeaders(object, false);
    expect(list).toContain(wire("é"));
    expect(list).toContain("Thu, 01 Jan 2026 00:00:00 GMT");
    expect(list).not.toContain("AAAAAA==");
    expect(objectHeaders(object, true)).toEqual([
      ...list,
      ...["x-amz-checksum-crc32", "AAAAAA==", "x-amz-checksum-type", "FULL_OBJECT"],
    ]);
  });
});
