import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { reclaimGroups } from "./cgroup-reclaim.ts";
import { ownedName } from "./owned-name.ts";

/** Plain folders in the groups' place: both refuse to go while something is in them. */
let mount: string;
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), "sluice-cgroup-"));
});
afterEach(() => rmSync(mount, { recursive: true }));

/** What a killed server of that name would have left. */
const left = (name: string): string => ownedName(name).replace(/\d+$/, "1");
const make = (path: string): void => void mkdirSync(join(mount, path), { recursive: true });
const entries = (path = ""): string[] => readdirSync(join(mount, path)).toSorted();

test("empty groups of servers that are gone are removed, wherever they stood", async () => {
  make(`${left("a")}/slot-0`);
  make(`${left("a")}/slot-1`);
  make(`user.slice/scope/${left("b")}/slot-0`);
  make(`${left("c")}.server`);
  expect(await reclaimGroups([mount, mount], "me", new Set())).toEqual([]);
  expect(entries()).toEqual(["user.slice"]);
  expect(entries("user.slice/scope")).toEqual([]);
});

test("what lives, what is not empty and what is not Sluice's stays", async () => {
  const foreign = ownedName("d").replace(/\.\d+-/, ".7-");
  for (const name of [ownedName("a"), left("b"), foreign, "0123456789abcdef", "sluice-old"]) make(`${name}/slot-0`);
  writeFileSync(join(mount, left("b"), "slot-0", "process"), "");
  const before = entries();
  expect(await reclaimGroups([mount], "me", new Set())).toEqual([]);
  expect(entries()).toEqual(before);
  for (const name of before) expect(entries(name)).toEqual(["slot-0"]);
});

test("of the own name only open groups stay", async () => {
  make(`${ownedName("me")}/slot-0`);
  make(`${ownedName("me")}/slot-1`);
  make(`${left("me")}/slot-0`);
  expect(await reclaimGroups([mount], "me", new Set(["slot-1"]))).toEqual([]);
  expect(entries()).toEqual([ownedName("me")]);
  expect(entries(ownedName("me"))).toEqual(["slot-1"]);
});
