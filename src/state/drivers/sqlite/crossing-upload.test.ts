import { expect, it } from "vitest";
import { hashSmall } from "../../../lib/hash-small.ts";
import type { Upload } from "../../state.ts";
import { ADMIN, blob } from "../../testing/state-bench.ts";
import { committedOf, committedRow, uploadInfo, uploadOf, uploadRow } from "./crossing-upload.ts";

const plain: Upload = {
  by: ADMIN,
  bucket: "box",
  key: "a",
  blob: blob("a"),
  contentType: "text/plain",
  metadata: {},
  headers: {},
  checksums: {},
  tags: {},
  condition: null,
  lineage: null,
  at: 1_700_000_000_000,
};
const nothing = new Uint8Array(0);

it.each<[string, Upload]>([
  ["a file", plain],
  ["bytes for the row", { ...plain, blob: blob("b", "inline") }],
  ["nothing", { ...plain, blob: { ...plain.blob, sizeBytes: 0, blockCrc32c: nothing, inline: nothing } }],
  ["a view on a shared buffer", { ...plain, blob: { ...plain.blob, inline: Buffer.from("shared") } }],
  [
    "everything",
    {
      ...plain,
      metadata: { colour: "blue" },
      headers: { expires: "never" },
      checksums: { crc32: "AAAAAA==" },
      tags: { team: "red" },
      condition: { ifNoneMatch: "*" },
      lineage: { rootId: "r", parentJobId: "p", hops: 2 },
    },
  ],
])("takes an upload of %s across", (_, upload) => {
  const row = uploadRow(upload);
  const { by, blob: taken, ...rest } = uploadOf(structuredClone(row));
  const { by: _by, blob: sent, ...asked } = upload;
  expect(rest).toEqual(asked);
  expect(by).toEqual({ subject: ADMIN.subject });
  expect({ ...taken, blockCrc32c: [...taken.blockCrc32c], inline: taken.inline && [...taken.inline] }).toEqual({
    ...{ ...sent, blockCrc32c: [...sent.blockCrc32c], inline: sent.inline && [...sent.inline] },
  });
  const crossing = row.find((cell) => cell instanceof Uint8Array);
  expect(crossing?.buffer.byteLength).toBe(sent.blockCrc32c.length + (sent.inline?.length ?? 0));
});

it("hashes on the other side what was not hashed on this one", () => {
  const bytes = Uint8Array.of(116, 101, 120, 116);
  const unhashed: Upload["blob"] = {
    ...{ blobId: "b", sizeBytes: 4, inline: bytes, isUnhashed: true },
    get md5(): string {
      throw new Error("it was to be hashed elsewhere");
    },
    get blockCrc32c(): Uint8Array {
      throw new Error("it was to be hashed elsewhere");
    },
  };
  const row = uploadRow({ ...plain, blob: unhashed });
  const { blob } = uploadOf(structuredClone(row));
  expect(blob).toMatchObject({ ...hashSmall(bytes), inline: bytes });
});

it("takes the answer back as the worker gave it", () => {
  const placed = { versionId: "v7", isLatest: true, isDeleteMarker: false };
  const answer = { object: { ...uploadInfo(plain, 7, plain.blob.md5), ...placed }, jobIds: ["hash-1"] };
  expect(committedOf(plain, structuredClone(committedRow(answer)))).toEqual(answer);
});
