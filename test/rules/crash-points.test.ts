import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const KILLERS = [
  "test/e2e/crash.test.ts",
  "test/e2e/s3-crash.test.ts",
  "test/e2e/images.test.ts",
  "src/state/drivers/sqlite/migrate.test.ts",
];

it("every named crash point is one that a test kills at", () => {
  const names = [...read("src/lib/crash-point.ts").matchAll(/^ {2}\| "([a-z.-]+)"/gm)].map((match) => match[1] ?? "");
  expect(names.length).toBeGreaterThan(10);
  const killed = KILLERS.map(read).join("\n");
  expect(names.filter((name) => !killed.includes(name))).toEqual([]);
});
