import { expect, it } from "vitest";
import type { ObjectInfo } from "../../../core/object.ts";
import { SAMPLE_OBJECT } from "../../testing/sample-object.ts";
import { pageOf, pageRow } from "./crossing-page.ts";

it("gives a page back as it was, whatever its objects carry", () => {
  const full: ObjectInfo = {
    ...SAMPLE_OBJECT,
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
  const page = {
    objects: [SAMPLE_OBJECT, full, { ...SAMPLE_OBJECT, key: "c" }],
    commonPrefixes: ["d/", "e/"],
    next: "e/",
  };
  expect(pageOf("box", structuredClone(pageRow(page)))).toEqual(page);
});

it("gives an empty page back", () => {
  const page = { objects: [], commonPrefixes: [], next: null };
  expect(pageOf("box", structuredClone(pageRow(page)))).toEqual(page);
});
