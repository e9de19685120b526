import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BodySha256 } from "./body-sha256.ts";

const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 });

test("more bytes than were said have no hash that fits", () => {
  const hash = new BodySha256(3);
  hash.update(Buffer.from("abc"));
  hash.update(Buffer.from("d"));
  expect(hash.digest()).toHaveLength(0);
});

test("is the hash of all pieces, whatever length was expected", () => {
  fc.assert(
    fc.property(pieces, fc.constantFrom("right", "wrong", "none"), (parts, said) => {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      const hash = new BodySha256(said === "none" ? null : said === "right" ? bytes : 7);
      for (const part of parts) hash.update(part);
      const tooLong = said === "wrong" && parts.find(({ length }) => length > 0)?.length === 7 && bytes > 7;
      const right = createHash("sha256").update(Buffer.concat(parts)).digest();
      if (!tooLong) expect(hash.digest()).toEqual(right);
    }),
  );
});
