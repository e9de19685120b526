import { expect, it } from "vitest";
import type { StoredObject } from "../../../core/object.ts";
import type { DeleteMarker } from "../../object-calls.ts";
import { SAMPLE_OBJECT } from "../../testing/sample-object.ts";
import { versionOf, versionRow } from "./crossing-object.ts";

const file: StoredObject = {
  ...SAMPLE_OBJECT,
  sizeBytes: 3 * 1024 * 1024,
  blob: { kind: "file", blobId: "f".repeat(32) },
  blockCrc32c: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
};

it.each<[string, StoredObject | DeleteMarker | null]>([
  ["nothing", null],
  ["a file", file],
  ["bytes in the row", { ...file, blob: { kind: "inline", blobId: "b", bytes: Uint8Array.of(1, 2, 3) } }],
  [
    "no bytes in the row",
    { ...file, blob: { kind: "inline", blobId: "b", bytes: new Uint8Array(0) }, blockCrc32c: new Uint8Array(0) },
  ],
  [
    "everything",
    {
      ...file,
      versionId: "v7",
      isLatest: false,
      metadata: { colour: "blue" },
      headers: { expires: "never" },
      checksums: { crc32: "AAAAAA==" },
      tags: { team: "red" },
      parts: [{ sizeBytes: 5, checksums: { crc32: "AAAAAA==" } }],
      jobId: "hash-1",
    },
  ],
])("takes %s across", (_, version) => {
  expect(versionOf("box", "a", structuredClone(versionRow(version)))).toEqual(version);
});

it("takes a delete marker across, which has no bytes", () => {
  const { blockCrc32c: _, ...info } = file;
  const marker: DeleteMarker = { ...info, isDeleteMarker: true, blob: null, sizeBytes: 0 };
  expect(versionOf("box", "a", structuredClone(versionRow(marker)))).toEqual(marker);
});

it("sends no more than the bytes themselves", () => {
  const shared = Buffer.from("a view on a buffer that many share");
  const row = versionRow({ ...file, blob: { kind: "inline", blobId: "b", bytes: shared } });
  const bytes = row?.find((cell) => cell instanceof Uint8Array);
  expect(bytes?.buffer.byteLength).toBe(file.blockCrc32c.length + shared.length);
});
