import { describe, expect, it } from "vitest";
import { bytesText, durationText, localTime, parseCount, parseSince } from "./units.ts";

it.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1536, "1.5 KiB"],
  [5 * 1024 ** 3, "5.0 GiB"],
])("%i bytes read as %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));

it.each([
  [80, "80 ms"],
  [3210, "3.2 s"],
  [60_000, "1 min"],
  [245_000, "4 min 5 s"],
  [7_380_000, "2 h 3 min"],
  [439_200_000, "5 d 2 h"],
])("%i ms read as %s", (ms, text) => expect(durationText(ms)).toBe(text));

it("shows times in the local zone", () => {
  const date = new Date(2026, 2, 5, 14, 7, 9);
  expect(localTime(date.getTime())).toBe("2026-03-05 14:07:09");
  expect(localTime(date.toISOString())).toBe("2026-03-05 14:07:09");
  expect(localTime("whenever")).toBe("whenever");
});

describe("parseSince", () => {
  it("takes spans and times", () => {
    expect(parseSince("10m", 1_000_000)).toBe(400_000);
    expect(parseSince("1.5h", 6_000_000)).toBe(600_000);
    expect(parseSince("2026-03-05T14:00:00Z", 0)).toBe(Date.UTC(2026, 2, 5, 14));
  });

  it.each(["", "yesterday", "10x", "-5m", "2026-13-45"])("refuses %j", (text) => {
    expect(() => parseSince(text, 0)).toThrow("Cannot read the time");
  });
});

it("parseCount takes whole numbers only", () => {
  expect(parseCount("limit", "10")).toBe(10);
  expect(parseCount("drain", "0", 0)).toBe(0);
  for (const text of ["0", "-1", "1.5", "1e3", "", "99999999999999999999"]) {
    expect(() => parseCount("limit", text)).toThrow('Cannot read "--limit');
  }
});
