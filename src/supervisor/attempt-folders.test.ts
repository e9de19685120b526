import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../lib/log.ts";
import { AttemptFolders } from "./attempt-folders.ts";

let work: string;
let folders: AttemptFolders;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "sluice-work-"));
  folders = new AttemptFolders(work, null, silentLog);
});
afterEach(async () => {
  await folders.close();
  rmSync(work, { recursive: true, force: true });
});

const ALL = new Set(["", "in", "home", "tmp", "script", "event.json"]);
const content = { script: "echo a long script\n", event: "{}" };

describe("AttemptFolders", () => {
  it("gives a folder to the next attempt of the revision, with its own script, event and input", async () => {
    const first = await folders.take("a.1", "r1", content);
    first.setMountPoint("one");
    await folders.giveBack(first, "r1", ALL);
    expect(readdirSync(work)).toEqual([".spare-1"]);
    const second = await folders.take("b.1", "r1", { script: "x\n", event: '{"n":2}' });
    second.setMountPoint("two");
    expect(second).toBe(first);
    expect(readdirSync(work)).toEqual(["b.1"]);
    expect(readFileSync(join(work, "b.1/script"), "utf8")).toBe("x\n");
    expect(readFileSync(join(work, "b.1/event.json"), "utf8")).toBe('{"n":2}');
    expect(readdirSync(join(work, "b.1/in"))).toEqual(["two"]);
    await folders.giveBack(second, null, ALL);
  });

  it("never gives one to another revision", async () => {
    const first = await folders.take("a.1", "r1", content);
    await folders.giveBack(first, "r1", ALL);
    const second = await folders.take("b.1", "r2", content);
    expect(second).not.toBe(first);
    await folders.giveBack(second, "r2", ALL);
  });

  it.each<[string, string | null]>([
    ["of a script that did not end well", null],
    ["that a script touched", "r1"],
  ])("removes one %s", async (_, revisionId) => {
    const folder = await folders.take("a.1", "r1", content);
    await folders.giveBack(folder, revisionId, revisionId === null ? ALL : new Set([...ALL].slice(1)));
    expect(readdirSync(work)).toEqual([]);
  });

  it("keeps 32 at most, the latest", async () => {
    const taken = await Promise.all(Array.from({ length: 40 }, (_, n) => folders.take(`a.${n}`, `r${n}`, content)));
    for (const [n, folder] of taken.entries()) await folders.giveBack(folder, `r${n}`, ALL);
    expect(readdirSync(work)).toHaveLength(32);
    expect(await folders.take("b.1", "r39", content)).toBe(taken[39]);
    expect(await folders.take("b.2", "r0", content)).not.toBe(taken[0]);
  });

  it("has none left when nothing ran for a while", async () => {
    const [first, second] = [await folders.take("a.1", "r1", content), await folders.take("b.1", "r1", content)];
    await folders.giveBack(first, "r1", ALL);
    await folders.giveBack(second, "r1", ALL);
    expect(readdirSync(work)).toHaveLength(2);
    await expect.poll(() => readdirSync(work), { timeout: 10_000 }).toEqual([]);
  });

  it("keeps none after it was closed", async () => {
    const [first, second] = [await folders.take("a.1", "r1", content), await folders.take("b.1", "r1", content)];
    await folders.giveBack(first, "r1", ALL);
    await folders.close();
    expect(readdirSync(work)).toEqual(["b.1"]);
    await folders.giveBack(second, "r1", ALL);
    expect(readdirSync(work)).toEqual([]);
  });

  it("replaces what a crash left under the name, and what was removed behind its back", async () => {
    mkdirSync(join(work, "a.1/out/old"), { recursive: true });
    const first = await folders.take("a.1", "r1", content);
    expect(readdirSync(first.output)).toEqual([]);
    await folders.giveBack(first, "r1", ALL);
    rmSync(join(work, ".spare-1"), { recursive: true });
    const second = await folders.take("a.2", "r1", content);
    expect(readdirSync(second.output)).toEqual([]);
    await folders.giveBack(second, null, ALL);
  });

  it("makes the work folder again when somebody removed it, and goes on", async () => {
    const [spare, running] = [await folders.take("a.1", "r1", content), await folders.take("b.1", "r1", content)];
    await folders.giveBack(spare, "r1", ALL);
    rmSync(work, { recursive: true });
    await folders.giveBack(running, "r1", ALL);
    const next = await folders.take("c.1", "r1", content);
    expect(readFileSync(join(work, "c.1/script"), "utf8")).toBe(content.script);
    expect(statSync(work).mode & 0o777).toBe(0o700);
    await folders.giveBack(next, null, ALL);
  });

  it("makes no data directory again", async () => {
    const inner = new AttemptFolders(join(work, "gone/work"), null, silentLog);
    await expect(inner.take("a.1", "r1", content)).rejects.toThrow("ENOENT");
    expect(readdirSync(work)).toEqual([]);
  });

  it.each(["", "..", ".x", "a/b", "a b"])("refuses the id %j", async (id) => {
    await expect(folders.take(id, "r1", content)).rejects.toMatchObject({ code: "INTERNAL" });
    expect(readdirSync(work)).toEqual([]);
  });

  it("leaves nothing when the folder cannot be filled", async () => {
    const wrong = { script: "x", event: null as unknown as string };
    await expect(folders.take("a.1", "r1", wrong)).rejects.toThrow();
    expect(readdirSync(work)).toEqual([]);
  });
});
