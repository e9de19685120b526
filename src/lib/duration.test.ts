import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["10m", 600_000],
  ["90s", 90_000],
  ["1h30m", 5_400_000],
  ["500ms", 500],
  ["1m500ms", 60_500],
  ["1.5h", 5_400_000],
  ["30d", 2_592_000_000],
  ["2w", 1_209_600_000],
  ["10", 10_000],
  [" 10s ", 10_000],
  [90, 90_000],
  [0.25, 250],
  [0, 0],
])("%j is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  "",
  "m",
  "10 m",
  "-5s",
  "30m1h",
  "1h1h",
  "10x",
  "1e3s",
  "ten",
  "0x10",
  Number.NaN,
  -1,
  Number.POSITIVE_INFINITY,
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeNull();
});

test("an endless text is refused quickly", () => {
  expect(parseDuration("1s".repeat(100_000))).toBeNull();
});

test("what is written is read back", () => {
  for (const ms of [0, 1, 999, 1000, 61_001, 3_600_000, 90_061_001, 2_592_000_000]) {
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  }
  expect(formatDuration(90_000)).toBe("1m30s");
});
