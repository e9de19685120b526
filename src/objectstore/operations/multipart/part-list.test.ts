import { describe, expect, it } from "vitest";
import { readXml } from "../../../s3/xml-read.ts";
import type { MultipartUpload, Part } from "../../../state/object-calls.ts";
import { pickParts, readPartList } from "./part-list.ts";

const s3 = (code: string) => expect.objectContaining({ details: expect.objectContaining({ s3: code }) });
const listOf = (...parts: string[]): string =>
  `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
const part = (number: number | string, etag = "a", rest = ""): string =>
  `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${rest}</Part>`;

describe("readPartList", () => {
  it("reads numbers, ETags with and without quotes, and checksums", () => {
    const text = listOf(
      part(1, "&quot;AB&quot;"),
      part(3, "cd", "<ChecksumCRC32C> x= </ChecksumCRC32C><Other>1</Other>"),
    );
    expect(readPartList(readXml(text))).toEqual([
      { number: 1, etag: "ab", checksums: {} },
      { number: 3, etag: "cd", checksums: { crc32c: "x=" } },
    ]);
  });

  it.each([
    ["no parts", listOf(), "MalformedXML"],
    ["no number", listOf(part("")), "MalformedXML"],
    ["a number that is none", listOf(part("1e3")), "MalformedXML"],
    ["no ETag", listOf(part(1, "")), "MalformedXML"],
    ["falling numbers", listOf(part(2), part(1)), "InvalidPartOrder"],
    ["a number twice", listOf(part(2), part(2)), "InvalidPartOrder"],
  ])("refuses %s", (_what, text, code) => {
    expect(() => readPartList(readXml(text))).toThrow(s3(code));
  });
});

describe("pickParts", () => {
  const upload = { uploadId: "u" } as MultipartUpload;
  const row = (number: number, sizeBytes: number): Part => ({
    ...{
      number,
      sizeBytes,
      md5: `m${number}`,
      pieceCrc32c: new Uint8Array(),
      checksums: { crc32: "c" },
      lastModified: 0,
    },
    blob: null,
  });
  const all = [row(1, 5 * 1024 * 1024), row(2, 7), row(3, 5 * 1024 * 1024)];
  const named = (number: number, checksums = {}) => ({ number, etag: `m${number}`, checksums });

  it("takes the parts that were named", () => {
    expect(pickParts([named(1), named(3, { crc32: "c", sha1: "not sent" })], all, upload)).toEqual([all[0], all[2]]);
    expect(pickParts([named(2)], all, upload)).toEqual([all[1]]);
  });

  it.each([
    ["one that is not there", [named(9)], "InvalidPart"],
    ["another ETag", [{ number: 1, etag: "x", checksums: {} }], "InvalidPart"],
    ["another checksum", [named(1, { crc32: "d" })], "InvalidPart"],
    ["a small one before the last", [named(1), named(2), named(3)], "EntityTooSmall"],
  ])("refuses %s", (_what, list, code) => {
    expect(() => pickParts(list, all, upload)).toThrow(s3(code));
  });
});
