import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { backup } from "./backup.ts";

let root: string;
let dataDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-backup-"));
  dataDir = join(root, "data");
  mkdirSync(join(dataDir, "blobs"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A backup whose database cannot be copied: what is refused earlier says something else. */
const backUp = (target: string): Promise<void> =>
  backup({
    dataDir,
    target,
    state: {
      holdBlobs: () => () => {},
      backup: async () => {
        throw new Error("the database was reached");
      },
    },
  });

it.each<[string, () => string, RegExp]>([
  ["a relative path", () => "copy", /not absolute/],
  ["a path with NUL", () => `${root}/a\0b`, /NUL/],
  ["what exists", () => dataDir, /exists/],
  ["a place in the data directory", () => `${dataDir}/copy`, /inside the data directory/],
  ["a place in it by another way", () => `${root}/x/../data/blobs/copy`, /inside the data directory|does not exist/],
  ["a folder that is not there", () => `${root}/no/copy`, /does not exist/],
  ["a place where no folder can be made", () => "/proc/self/copy", /Cannot back up to/],
])("refuses %s", async (_, target, why) => {
  await expect(backUp(target())).rejects.toMatchObject({ code: "BACKUP_INVALID", message: expect.stringMatching(why) });
});

it("refuses a place in the data directory that a link leads to", async () => {
  symlinkSync(dataDir, join(root, "link"));
  await expect(backUp(`${root}/link/copy`)).rejects.toThrow(/inside the data directory/);
  expect(readdirSync(dataDir)).toEqual(["blobs"]);
});

it("removes nothing that was there before", async () => {
  mkdirSync(join(root, "copy.partial"));
  writeFileSync(join(root, "copy.partial/mine"), "");
  await expect(backUp(`${root}/copy`)).rejects.toThrow(/copy.partial" exists \(remove/);
  expect(existsSync(join(root, "copy.partial/mine"))).toBe(true);
});

it.each(["copy", "copy/"])("leaves nothing behind when it fails: %s", async (name) => {
  await expect(backUp(`${root}/${name}`)).rejects.toThrow("the database was reached");
  expect(readdirSync(root)).toEqual(["data"]);
});
