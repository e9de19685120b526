import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ERROR_CODES } from "../../src/core/errors.ts";

it("docs/reference/errors.md lists exactly the table of src/core/errors.ts", () => {
  const page = readFileSync(new URL("../../docs/reference/errors.md", import.meta.url), "utf8");
  const written = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (yes|no) \| (.+) \|$/gm)].map((row) => row.slice(1));
  const coded = Object.entries(ERROR_CODES).map(([code, row]) => [
    code,
    String(row.status),
    row.retryable ? "yes" : "no",
    row.means,
  ]);
  expect(written).toEqual(coded);
});
