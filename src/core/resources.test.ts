import { describe, expect, it } from "vitest";
import {
  addResources,
  fits,
  formatBytes,
  lacking,
  parseBytes,
  parseCpuMilli,
  parseQuantity,
  subtractResources,
} from "./resources.ts";

describe("quantities", () => {
  it.each([
    ["256Mi", 268_435_456],
    ["1Gi", 1_073_741_824],
    ["1.5G", 1_500_000_000],
    ["1e3", 1000],
    ["12", 12],
    ["0.5Ki", 512],
    ["1K", 1000],
    ["1k", 1000],
    ["500m", 0.5],
  ])("reads %s", (text, value) => expect(parseQuantity(text)).toBe(value));

  it.each(["", "Mi", "1 Mi", "1mi", "1MiB", "-1", "0x10", "1,5", "NaN", "1e", "1Kii"])("refuses %j", (text) => {
    expect(parseQuantity(text)).toBeNull();
  });

  it("rounds up, but not because of binary fractions", () => {
    expect(parseCpuMilli("0.1")).toBe(100);
    expect(parseCpuMilli("0.2")).toBe(200);
    expect(parseCpuMilli("1.0001")).toBe(1001);
    expect(parseBytes("0.1")).toBe(1);
  });

  it("writes bytes as people do", () => {
    expect(formatBytes(268_435_456)).toBe("256Mi");
    expect(formatBytes(1536)).toBe("1.5Ki");
    expect(formatBytes(0)).toBe("0");
  });
});

describe("resource maps", () => {
  it("compares name by name; what a worker lacks is 0", () => {
    expect(fits({ cpu: 500 }, { cpu: 500, memory: 1 })).toBe(true);
    expect(fits({ cpu: 501 }, { cpu: 500 })).toBe(false);
    expect(fits({ gpu: 1 }, { cpu: 500 })).toBe(false);
    expect(fits({ gpu: 0 }, { cpu: 500 })).toBe(true);
    expect(lacking({ cpu: 501, gpu: 1, memory: 1 }, { cpu: 500, memory: 1 })).toEqual(["cpu", "gpu"]);
  });

  it("adds and subtracts back", () => {
    const a = { cpu: 500, memory: 3 };
    expect(subtractResources(addResources(a, { cpu: 1, disk: 2 }), { cpu: 1, disk: 2 })).toEqual({ ...a, disk: 0 });
  });
});
