import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import type { SluiceError } from "../core/errors.ts";
import { Durability } from "./durability.ts";
import { FolderSync } from "./folder-sync.ts";

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

function setUp(syncFolder?: () => Promise<void>) {
  const ended: SluiceError[] = [];
  return { ended, durability: new Durability(new FolderSync(syncFolder), (error) => ended.push(error)) };
}

describe("Durability", () => {
  it("ends the process when an fsync fails", async () => {
    const { ended, durability } = setUp();
    await expect(durability.guard(Promise.reject(systemError("EIO")))).rejects.toMatchObject({ code: "INTERNAL" });
    expect(ended).toHaveLength(1);
    expect(ended[0]?.message).toContain("EIO");
  });

  it("ends the process when the fsync of the folder fails", async () => {
    const { ended, durability } = setUp(() => Promise.reject(systemError("EIO")));
    // A bad descriptor fails too: both are waited for, and both are told.
    await expect(durability.syncBlob(-1, tmpdir())).rejects.toThrow();
    expect(ended.length).toBeGreaterThanOrEqual(1);
  });

  it.each(["ENOSPC", "EDQUOT"])("lets %s fail the upload alone", async (code) => {
    const { ended, durability } = setUp();
    await expect(durability.guard(Promise.reject(systemError(code)))).rejects.toMatchObject({ code });
    expect(ended).toEqual([]);
  });

  it("says nothing when all is well", async () => {
    const { ended, durability } = setUp();
    await durability.guard(Promise.resolve());
    expect(ended).toEqual([]);
  });
});
