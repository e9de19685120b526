import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Flavour, LauncherKind, Slot } from "./slot.ts";
import { SlotPool } from "./slot-pool.ts";

let folder: string;
let pool: SlotPool;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-pool-"));
  pool = new SlotPool({
    folder,
    uids: null,
    gid: 0,
    count: 4,
    cgroups: null,
    warm: 2,
    idleMs: 60_000,
    failed: () => {},
  });
});
afterEach(async () => {
  await pool.close();
  rmSync(folder, { recursive: true });
});

const MAPS = { users: [`0 ${process.geteuid?.()} 1`], groups: [`0 ${process.getegid?.()} 1`] };
const KINDS: Readonly<Record<"plain" | "mounts", LauncherKind>> = {
  plain: { maps: null, outbound: null },
  mounts: { maps: MAPS, outbound: null },
};

/** Jobs side by side, each in a slot with a launcher of its kind. */
async function run(...flavours: readonly ("plain" | "mounts")[]): Promise<Slot[]> {
  const slots: Slot[] = [];
  for (const flavour of flavours) {
    const slot = await pool.take(flavour, "");
    await slot.ready(KINDS[flavour]);
    slots.push(slot);
  }
  for (const slot of slots) await pool.giveBack(slot);
  return slots;
}

const warm = (slots: readonly Slot[]): Flavour[] => slots.filter(({ isWarm }) => isWarm).map(({ flavour }) => flavour);

test("jobs of one kind have the same slots again and again", async () => {
  const first = await run("plain", "plain");
  expect(await run("plain", "plain")).toEqual(first);
  expect(warm(first)).toEqual(["plain", "plain"]);
});

test("a launcher of another kind makes room; jobs that come in rows keep theirs", async () => {
  const [odd] = await run("mounts");
  const plain = await run("plain", "plain");
  expect(odd?.isWarm).toBe(false);
  for (let round = 0; round < 3; round++) expect(await run("plain", "plain")).toEqual(plain);
  expect(warm(plain)).toEqual(["plain", "plain"]);
});

test("a slot without a launcher is used before another is made, one of another kind when no more may be", async () => {
  const made = new Set([...(await run("plain", "plain", "plain")), ...(await run("mounts", "mounts"))]);
  expect(made.size).toBeLessThanOrEqual(4);
  const held = [
    await pool.take("mounts", ""),
    await pool.take("plain", ""),
    await pool.take("plain", ""),
    await pool.take("mounts", ""),
  ];
  expect(new Set(held).size).toBe(4);
  await expect(pool.take("plain", "")).rejects.toThrow(/all 4 slots/);
  for (const slot of held) await pool.giveBack(slot);
});

test("idle launchers vanish after their time, but for those that are kept", async () => {
  const slots = await run("plain", "plain");
  pool.keep([{ flavour: "plain", tenant: "", count: 1 }]);
  await pool.coolIdle(performance.now() + 59_000);
  expect(warm(slots)).toEqual(["plain", "plain"]);
  await pool.coolIdle(performance.now() + 61_000);
  expect(slots.map(({ isWarm }) => isWarm)).toEqual([true, false]);
  pool.keep([
    { flavour: "plain", tenant: "a", count: 1 },
    { flavour: "plain", tenant: "b", count: 1 },
  ]);
  const both = await run("plain", "plain");
  await pool.coolIdle(performance.now() + 61_000);
  expect(warm(both)).toEqual(["plain", "plain"]);
  pool.keep([]);
  await pool.coolIdle(performance.now() + 61_000);
  expect(warm(slots)).toEqual([]);
});

test("what is kept makes no room for others, and takes none from them", async () => {
  pool.keep([{ flavour: "mounts", tenant: "", count: 1 }]);
  const [kept] = await run("mounts");
  const plain = await run("plain", "plain", "plain");
  expect(kept?.isWarm).toBe(true);
  expect(warm(plain)).toEqual(["plain", "plain"]);
});

test("changes to a root that nobody came for are given up", async () => {
  const [slot] = await run("plain");
  if (slot !== undefined) slot.root.keptFor = "a service";
  await pool.coolIdle(performance.now() + 61_000);
  expect(slot?.root.keptFor).toBeNull();
});

test("a job has the slot where its changes wait, and others have another", async () => {
  const [first, second] = await run("plain", "plain");
  if (second !== undefined) second.root.keptFor = "a service";
  expect(await pool.take("plain", "", "a service")).toBe(second);
  expect(await pool.take("plain", "")).toBe(first);
});
