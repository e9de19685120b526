import { describe, expect, it } from "vitest";
import { checksumAlgorithm, createChecksum, readChecksum, readContentMd5 } from "./checksums.ts";
import { toS3Failure } from "./errors.ts";

function s3CodeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

describe("checksums", () => {
  // The check values of "123456789" and the FIPS 180 examples of "abc".
  it.each([
    ["crc32", "123456789", "cbf43926"],
    ["crc32c", "123456789", "e3069283"],
    ["sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    ["sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ])("%s agrees with its published value, whole and in pieces", (algorithm, text, expected) => {
    const whole = createChecksum(algorithm);
    whole.update(Buffer.from(text));
    expect(whole.digest().toString("hex")).toBe(expected);
    const pieces = createChecksum(algorithm);
    for (const byte of Buffer.from(text)) pieces.update(Uint8Array.of(byte));
    expect(pieces.digest().toString("hex")).toBe(expected);
  });

  it("knows which headers are checksums", () => {
    expect(checksumAlgorithm("x-amz-checksum-crc32c")).toBe("crc32c");
    expect(checksumAlgorithm("x-amz-checksum-mode")).toBeNull();
    expect(checksumAlgorithm("content-md5")).toBeNull();
    expect(s3CodeOf(() => checksumAlgorithm("x-amz-checksum-crc1024"))).toBe("NotImplemented");
    expect(s3CodeOf(() => checksumAlgorithm("x-amz-checksum-constructor"))).toBe("NotImplemented");
  });

  it.each(["", "AAAA", "AAAAAA", "AAAA AA==", "!!!!!!==", "AAAAAAA="])("refuses %j as a CRC32", (value) => {
    expect(s3CodeOf(() => readChecksum("crc32", value))).toBe("InvalidRequest");
  });

  it("reads what is right", () => {
    expect(readChecksum("crc32", "y/Q5Jg==").toString("hex")).toBe("cbf43926");
    expect(readContentMd5("1B2M2Y8AsgTpgAmY7PhCfg==").toString("hex")).toBe("d41d8cd98f00b204e9800998ecf8427e");
  });

  it("refuses a Content-MD5 that is none", () => {
    expect(s3CodeOf(() => readContentMd5("1B2M2Y8AsgTpgAmY7PhCf"))).toBe("InvalidDigest");
    expect(s3CodeOf(() => readContentMd5("d41d8cd98f00b204e9800998ecf8427e"))).toBe("InvalidDigest");
  });
});
