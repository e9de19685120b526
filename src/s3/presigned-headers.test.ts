import { expect, it } from "vitest";
import { headerTable } from "./canonical-request.ts";
import { withParameters } from "./presigned-headers.ts";
import { parseQuery } from "./uri-encoding.ts";

const table = (query: string, headers: readonly string[] = []) =>
  Object.fromEntries(withParameters(headerTable(["Host", "h", ...headers]), parseQuery(query)));

it("takes headers that were signed as parameters", () => {
  expect(table("X-Amz-Meta-A=1&x-amz-tagging=a%3Db&x-amz-copy-source=b/%C3%A4&prefix=x")).toEqual({
    host: ["h"],
    "x-amz-meta-a": ["1"],
    "x-amz-tagging": ["a=b"],
    "x-amz-copy-source": ["b/\u00c3\u00a4"],
  });
});

it("leaves the signature's own parameters where they are, and headers as they were sent", () => {
  const signature =
    "X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c&X-Amz-Expires=d&X-Amz-SignedHeaders=e&X-Amz-Signature=f";
  expect(table(`${signature}&X-Amz-Content-Sha256=g&X-Amz-Security-Token=h`)).toEqual({ host: ["h"] });
  expect(table("x-amz-acl=public-read", ["x-amz-acl", "private"])["x-amz-acl"]).toEqual(["private"]);
});

it("takes a checksum, but not that of no bytes which an SDK puts in before there are any", () => {
  expect(table("x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32")).not.toHaveProperty(
    "x-amz-checksum-crc32",
  );
  expect(table("x-amz-checksum-crc32=AAAAAA%3D%3D")).toHaveProperty("x-amz-checksum-crc32");
  expect(table("x-amz-checksum-crc32=AAAAAQ%3D%3D&x-amz-sdk-checksum-algorithm=CRC32")).toHaveProperty(
    "x-amz-checksum-crc32",
  );
  const nothing = encodeURIComponent("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  expect(table(`x-amz-checksum-sha256=${nothing}&x-amz-sdk-checksum-algorithm=SHA256`)).not.toHaveProperty(
    "x-amz-checksum-sha256",
  );
});
