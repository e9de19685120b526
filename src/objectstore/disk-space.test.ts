import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { DiskSpace } from "./disk-space.ts";

function setUp(keepFreeBytes: number | null) {
  let now = 0;
  const released: number[] = [];
  const clock = { now: () => now, monotonicMs: () => now };
  const space = new DiskSpace({ folder: tmpdir(), keepFreeBytes, onDiskFull: () => released.push(now), clock });
  return {
    space,
    released,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const stats = statfsSync(tmpdir());
const available = stats.bavail * stats.bsize;
const MIB = 1024 * 1024;

describe("DiskSpace", () => {
  it("refuses what would cross the line of what is kept free", async () => {
    const { space } = setUp(Math.max(0, available - 1000 * MIB));
    await space.check(10 * MIB);
    await expect(space.check(10_000 * MIB)).rejects.toMatchObject({ code: "DISK_FULL" });
    await space.check(0);
  });

  it("refuses even nothing when too little is free already", async () => {
    const { space } = setUp(available * 2);
    await expect(space.check(0)).rejects.toMatchObject({ code: "DISK_FULL" });
  });

  it("counts what was taken until it looks again", async () => {
    const { space, pass } = setUp(Math.max(0, available - 4000 * MIB));
    await space.take(3000 * MIB);
    await expect(space.take(3000 * MIB)).rejects.toMatchObject({ code: "DISK_FULL" });
    pass(1001);
    await space.take(3000 * MIB);
  });

  it("keeps 5 % and at least 1 GiB by default", async () => {
    const { space } = setUp(null);
    const keep = Math.max(1024 * MIB, stats.blocks * stats.bsize * 0.05);
    await expect(space.check(available - keep + 500 * MIB)).rejects.toMatchObject({ code: "DISK_FULL" });
  });

  it("turns ENOSPC and EDQUOT into DISK_FULL, and has the reserve released first", () => {
    const { space, released } = setUp(0);
    const full = space.translate(Object.assign(new Error("x"), { code: "ENOSPC" }));
    expect(full).toBeInstanceOf(SluiceError);
    expect(full).toMatchObject({ code: "DISK_FULL" });
    space.translate(Object.assign(new Error("x"), { code: "EDQUOT" }));
    expect(released).toHaveLength(2);
    const other = new Error("other");
    expect(space.translate(other)).toBe(other);
    expect(released).toHaveLength(2);
  });
});
