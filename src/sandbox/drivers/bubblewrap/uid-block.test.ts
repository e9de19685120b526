import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { claimUidBlock, mapsIds } from "./uid-block.ts";

const FIRST = 3_000_000 + (process.pid % 1000) * 1000;

test("a block has one holder; the next server gets the next block; a freed one can be had again", async () => {
  const first = await claimUidBlock(FIRST, 16);
  const second = await claimUidBlock(FIRST, 16);
  expect([first.first, second.first]).toEqual([FIRST, FIRST + 16]);
  await first.release();
  const third = await claimUidBlock(FIRST, 16);
  expect(third.first).toBe(FIRST);
  await second.release();
  await third.release();
});

test("ids of accounts are never given to sandboxes", async () => {
  const nobody = Number(/^nobody:[^:]*:(\d+)/m.exec(readFileSync("/etc/passwd", "utf8"))?.[1]);
  const block = await claimUidBlock(nobody - 3, 8);
  expect(block.first).toBe(nobody + 5);
  await block.release();
});

test("a process can become only ids that its user namespace maps", () => {
  expect(mapsIds(0, 1)).toBe(true);
  expect(mapsIds(4_294_967_290, 100)).toBe(false);
});
