import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { isOwned, isOwnedBy, ownedName, ownerIsGone } from "./owned-name.ts";

const own = ownedName("abc.1");
const [, namespace = "", pid = "", start = ""] = /\.(\d+)-(\d+)-(\d+)$/.exec(own) ?? [];

describe("a name with its owner", () => {
  test("names this process", () => {
    expect(own).toMatch(/^sluice-abc\.1\.\d+-\d+-\d+$/);
    expect(Number(pid)).toBe(process.pid);
    expect([isOwned(own), isOwnedBy(own, "abc.1"), isOwnedBy(own, "abc"), ownerIsGone(own)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(isOwnedBy(`${own}.server`, "abc.1")).toBe(true);
  });

  test.each([
    "0123456789abcdef",
    "sluice-abc",
    "sluice-abc.1-2",
    "sluice-.1-2-3",
    "sluice-a/b.1-2-3",
    "x-sluice-a.1-2-3",
    "sluice-a.1-2-3.x",
  ])("%s has none and is never gone", (entry) => expect([isOwned(entry), ownerIsGone(entry)]).toEqual([false, false]));

  test("of a process that ended is gone, also when its id lives again", async () => {
    const ended = spawnSync("true").pid;
    expect(ownerIsGone(`sluice-a.${namespace}-${ended}-${start}`)).toBe(true);
    expect(ownerIsGone(`sluice-a.${namespace}-${pid}-${Number(start) - 1}`)).toBe(true);
    const living = spawn("sleep", ["60"]);
    await once(living, "spawn");
    expect(ownerIsGone(`sluice-a.${namespace}-${living.pid}-${start}`)).toBe(true);
    living.kill("SIGKILL");
    await once(living, "exit");
  });

  test("of another process namespace is never gone: its ids mean something else", () => {
    expect(ownerIsGone(`sluice-a.${Number(namespace) + 1}-${pid}-${Number(start) - 1}`)).toBe(false);
    expect(ownerIsGone(`sluice-a.0-1-1`)).toBe(false);
  });
});
