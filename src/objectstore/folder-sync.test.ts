import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FolderSync } from "./folder-sync.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-sync-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** An fsync that ends when it is told to. */
function controlled() {
  const ends: Array<(error?: Error) => void> = [];
  const sync = (): Promise<void> =>
    new Promise((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error))));
  return { ends, sync };
}

const turns = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe("FolderSync", () => {
  it("lets callers that come during an fsync share the next one, never the running one", async () => {
    const { ends, sync } = controlled();
    const folders = new FolderSync(sync);
    const done: string[] = [];
    const first = folders.sync(folder).then(() => done.push("first"));
    await turns();
    const later = ["a", "b", "c"].map((name) => folders.sync(folder).then(() => done.push(name)));
    await turns();
    expect(ends.length).toBe(1);
    ends[0]?.();
    await first;
    await turns();
    expect(done).toEqual(["first"]);
    expect(ends.length).toBe(2);
    ends[1]?.();
    await Promise.all(later);
    expect(done.toSorted()).toEqual(["a", "b", "c", "first"]);
    await folders.close();
  });

  it("gives a failure to those who waited for that fsync, and tries again for the others", async () => {
    const { ends, sync } = controlled();
    const folders = new FolderSync(sync);
    const first = folders.sync(folder);
    await turns();
    const second = folders.sync(folder);
    ends[0]?.(new Error("EIO"));
    await expect(first).rejects.toThrow("EIO");
    await turns();
    ends[1]?.();
    await second;
    await folders.close();
  });

  it("syncs real folders, and fails for one that does not exist", async () => {
    const folders = new FolderSync();
    await Promise.all([folders.sync(folder), folders.sync(folder)]);
    await expect(folders.sync(join(folder, "none"))).rejects.toThrow("ENOENT");
    await expect(folders.sync(join(folder, "none"))).rejects.toThrow("ENOENT");
    await folders.close();
  });

  it("keeps few folders open, and each that is being synced", async () => {
    const names = Array.from({ length: 30 }, (_, index) => join(folder, `folder-${index}`));
    for (const name of names) mkdirSync(name);
    const open = (): number =>
      readdirSync("/proc/self/fd").filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(`${folder}/`)).length;
    const { ends, sync } = controlled();
    const folders = new FolderSync(sync);
    const all = names.map((name) => folders.sync(name));
    await turns();
    expect(open()).toBe(names.length);
    for (const end of ends) end();
    await Promise.all(all);
    const again = folders.sync(names[0] ?? "");
    const another = folders.sync(folder);
    await turns();
    expect(open()).toBeLessThanOrEqual(8);
    for (const end of ends) end();
    await Promise.all([again, another]);
    await folders.close();
    expect(open()).toBe(0);
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
