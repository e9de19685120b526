import { expect, test } from "vitest";
import { hashSmall } from "../lib/hash-small.ts";
import { ownBlob } from "../state/drivers/sqlite/staged-bytes.ts";
import { UnhashedBlob } from "./unhashed-blob.ts";

const BYTES = Buffer.from("text");

test("has its hash when somebody asks", () => {
  const blob = new UnhashedBlob("b", BYTES);
  expect([blob.md5, blob.blockCrc32c]).toEqual(Object.values(hashSmall(BYTES)));
  expect(blob.sizeBytes).toBe(4);
});

test("loses nothing where it is made ready for another thread", () => {
  expect(ownBlob(new UnhashedBlob("b", BYTES))).toEqual({
    blobId: "b",
    sizeBytes: 4,
    ...hashSmall(BYTES),
    inline: new Uint8Array(BYTES),
  });
});
