import { expect, it } from "vitest";
import type { ObjectInfo } from "../../../core/object.ts";
import { pageOf, pageRow } from "./crossing-page.ts";

const plain: ObjectInfo = {
  bucket: "box",
  key: "a",
  versionSeq: 7,
  versionId: "null",
  isLatest: true,
  isDeleteMarker: false,
  sizeBytes: 0,
  etag: "d41d8cd98f00b204e9800998ecf8427e",
  contentType: "text/plain",
  metadata: {},
  headers: {},
  checksums: {},
  tags: {},
  parts: null,
  lastModified: 1_700_000_000_000,
  owner: "admin",
  jobId: null,
};

it("gives a page back as it was, whatever its objects carry", () => {
  const full: ObjectInfo = {
    ...plain,
    key: "b",
    versionSeq: 2 ** 52,
    versionId: "v2",
    sizeBytes: 5 * 1024 ** 4,
    metadata: { ["__proto__"]: "1", colour: "blue" },
    headers: { expires: "never" },
    checksums: { crc32c: "AAAAAA==" },
    tags: { team: "red", empty: "" },
    jobId: "hash-1",
  };
  const page = { objects: [plain, full, { ...plain, key: "c" }], commonPrefixes: ["d/", "e/"], next: "e/" };
  expect(pageOf("box", structuredClone(pageRow(page)))).toEqual(page);
});

it("gives an empty page back", () => {
  const page = { objects: [], commonPrefixes: [], next: null };
  expect(pageOf("box", structuredClone(pageRow(page)))).toEqual(page);
});
