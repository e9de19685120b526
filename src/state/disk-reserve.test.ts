import { existsSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DiskReserve } from "./disk-reserve.ts";

const BYTES = 3 * 1024 * 1024 + 5;

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-reserve-"));
  path = join(folder, "reserve");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("is really allocated, private, goes, and comes back", async () => {
  const reserve = new DiskReserve(path, BYTES);
  expect(await reserve.restore()).toBe(true);
  expect(statSync(path)).toMatchObject({ size: BYTES });
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(BYTES);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  reserve.release();
  reserve.release();
  expect(existsSync(path)).toBe(false);
  expect(await reserve.restore()).toBe(true);
});

it("stays as it is while it is whole", async () => {
  const reserve = new DiskReserve(path, BYTES);
  await reserve.restore();
  const { mtimeMs } = statSync(path);
  expect(await reserve.restore()).toBe(true);
  expect(statSync(path).mtimeMs).toBe(mtimeMs);
});

it("is made anew when a killed server left a part of it, or a hole", async () => {
  const reserve = new DiskReserve(path, BYTES);
  await reserve.restore();
  truncateSync(path, 10);
  expect(await reserve.restore()).toBe(true);
  truncateSync(path, 0);
  truncateSync(path, BYTES);
  expect(await reserve.restore()).toBe(true);
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(BYTES);
});

it("is left alone where it would fill the disk", async () => {
  const reserve = new DiskReserve(path, 2 ** 50);
  expect(await reserve.restore()).toBe(false);
  expect(existsSync(path)).toBe(false);
});

it("can be given up while it is being made", async () => {
  const reserve = new DiskReserve(path);
  const restored = reserve.restore();
  while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
  reserve.release();
  expect(await restored).toBe(false);
  expect(existsSync(path)).toBe(false);
});

it("says why it could not be made", async () => {
  await expect(new DiskReserve(join(folder, "none", "reserve"), BYTES).restore()).rejects.toThrow("ENOENT");
});
