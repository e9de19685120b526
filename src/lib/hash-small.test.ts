import fc from "fast-check";
import { expect, test } from "vitest";
import { BlobHash } from "../objectstore/blob-hash.ts";
import { hashSmall } from "./hash-small.ts";

test("is what a blob's hash says of the same bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      const hash = new BlobHash();
      hash.update(bytes);
      const { md5, blockCrc32c } = hash.facts("b");
      expect(hashSmall(bytes)).toEqual({ md5, blockCrc32c });
    }),
  );
});
