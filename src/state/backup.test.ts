import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backup, restore } from "./backup.ts";
import { type DataDir, openDataDir } from "./data-dir.ts";
import { openState } from "./open.ts";
import type { State } from "./state.ts";
import { ADMIN, blob, service } from "./testing/state-bench.ts";

let root = "";
let dir: DataDir;
let state: State;
let target = "";
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "sluice-backup-"));
  target = join(root, "backup");
  dir = await openDataDir(join(root, "data"), { slotsGid: null });
  state = await openState({ driver: "sqlite", file: dir.database });
  await state.createBucket(ADMIN, "box");
});
afterEach(async () => {
  await state.close();
  dir.close(true);
  rmSync(root, { recursive: true, force: true });
});

const blobFile = (folder: string, id: string): string => join(folder, "blobs", id.slice(0, 2), id);

/** An upload as the object store makes it: the file first, then the row. */
async function put(key: string, text: string, how: "file" | "inline" = "file"): Promise<string> {
  const bytes = blob(text, how);
  if (how === "file") {
    mkdirSync(dirname(blobFile(dir.path, bytes.blobId)), { recursive: true });
    writeFileSync(blobFile(dir.path, bytes.blobId), text, { mode: 0o400 });
  }
  const facts = { contentType: "", metadata: {}, headers: {}, checksums: {}, condition: null, lineage: null, at: 1 };
  await state.commitUpload({ by: ADMIN, bucket: "box", key, blob: bytes, ...facts });
  return bytes.blobId;
}

/** What the sweep does: unlinks what no row names. */
async function sweep(): Promise<number> {
  const ids = await state.garbageBlobs(100);
  for (const id of ids) unlinkSync(blobFile(dir.path, id));
  await state.forgetBlobs(ids);
  return ids.length;
}

/** Every object of a directory with its text, read from its files. */
async function contents(folder: string): Promise<Record<string, string>> {
  const restored = await openState({ driver: "sqlite", file: join(folder, "db", "sluice.db") });
  try {
    const found: Record<string, string> = {};
    const { objects } = await restored.listObjects({
      bucket: "box",
      prefix: "",
      after: "",
      delimiter: "",
      limit: 10_000,
    });
    for (const { key } of objects) {
      const ref = (await restored.object("box", key))?.blob;
      found[key] =
        ref?.kind === "inline"
          ? Buffer.from(ref.bytes).toString()
          : readFileSync(blobFile(folder, ref?.blobId ?? ""), "utf8");
    }
    return found;
  } finally {
    await restored.close();
  }
}

const leftovers = (): string[] => readdirSync(root).filter((name) => name !== "data" && name !== "backup");

describe("a backup", () => {
  it("of an idle server is restored whole, private and ready to start", async () => {
    await put("file", "in a file");
    await put("inline", "in the row", "inline");
    await state.applyServices(ADMIN, [service("a", "box/in")], "apply");
    writeFileSync(join(dir.path, "admin.json"), "{}", { mode: 0o600 });
    mkdirSync(join(dir.logs, "ab"));
    writeFileSync(join(dir.logs, "ab", "job.log"), "said");
    await backup({ state, dataDir: dir.path, target });
    expect(statSync(target).mode & 0o777).toBe(0o700);
    const copy = join(root, "copy");
    await restore(target, copy);
    expect(readFileSync(join(copy, "admin.json"), "utf8")).toBe("{}");
    expect(readFileSync(join(copy, "logs", "ab", "job.log"), "utf8")).toBe("said");
    for (const name of ["admin.json", "db/sluice.db"]) expect(statSync(join(copy, name)).mode & 0o777).toBe(0o600);
    const opened = await openDataDir(copy, { slotsGid: null });
    expect(opened.unclean).toBe(true);
    expect(await contents(copy)).toEqual({ file: "in a file", inline: "in the row" });
    opened.close(true);
    rmSync(copy, { recursive: true });
    expect(leftovers()).toEqual([]);
  });

  it("has blobs that lie elsewhere, and is restored with or without such a place", async () => {
    const there = join(root, "there");
    dir.close(true);
    dir = await openDataDir(dir.path, { slotsGid: null, blobsDir: there });
    const bytes = blob("far away", "file");
    const file = (folder: string): string => join(folder, bytes.blobId.slice(0, 2), bytes.blobId);
    mkdirSync(dirname(file(there)));
    writeFileSync(file(there), "far away", { mode: 0o400 });
    const facts = { contentType: "", metadata: {}, headers: {}, checksums: {}, condition: null, lineage: null, at: 1 };
    await state.commitUpload({ by: ADMIN, bucket: "box", key: "far", blob: bytes, ...facts });
    await expect(backup({ state, dataDir: dir.path, target: join(there, "backup") })).rejects.toMatchObject({
      message: expect.stringContaining("inside the folder of the blobs"),
    });
    await backup({ state, dataDir: dir.path, target });
    expect(readdirSync(target)).not.toContain("blobs-dir");
    await restore(target, join(root, "copy"));
    expect(await contents(join(root, "copy"))).toEqual({ far: "far away" });
    await expect(restore(target, join(root, "copy-2"), there)).rejects.toMatchObject({ code: "BACKUP_INVALID" });
    await restore(target, join(root, "copy-2"), join(root, "there-2"));
    expect(readFileSync(file(join(root, "there-2")), "utf8")).toBe("far away");
    const again = await openDataDir(join(root, "copy-2"), { slotsGid: null, blobsDir: join(root, "there-2") });
    expect(again.blobs).toBe(join(root, "there-2"));
    again.close(true);
    truncateSync(file(join(target, "blobs")), 1);
    await expect(restore(target, join(root, "copy-3"), join(root, "there-3"))).rejects.toMatchObject({
      code: "BACKUP_INVALID",
    });
    expect([readdirSync(join(root, "there-3")), existsSync(join(root, "copy-3"))]).toEqual([[], false]);
  });

  it("shares the bytes of blobs where it can, and is apart from what comes later", async () => {
    const id = await put("a", "old");
    await backup({ state, dataDir: dir.path, target });
    expect(statSync(blobFile(target, id)).ino).toBe(statSync(blobFile(dir.path, id)).ino);
    await put("a", "new");
    await sweep();
    expect(existsSync(blobFile(dir.path, id))).toBe(false);
    await restore(target, join(root, "copy"));
    expect(await contents(join(root, "copy"))).toEqual({ a: "old" });
  });

  it("leaves out unfinished uploads, whose files go on changing", async () => {
    await put("a", "text");
    const upload = { uploadId: "u", bucket: "box", key: "film", contentType: "", metadata: {}, headers: {}, tags: {} };
    await state.createUpload({ by: ADMIN, ...upload, checksum: null, lineage: null, at: 1 });
    const assembly = blob("film", "file");
    mkdirSync(dirname(blobFile(dir.path, assembly.blobId)), { recursive: true });
    writeFileSync(blobFile(dir.path, assembly.blobId), "film");
    const facts = { sizeBytes: 4, md5: assembly.md5, pieceCrc32c: assembly.blockCrc32c, checksums: {}, at: 1 };
    const place = { kind: "assembly", blobId: assembly.blobId, partBytes: 4 } as const;
    await state.putPart("u", { number: 1, ...facts, place });
    const own = blob("beside", "inline");
    await state.putPart("u", { number: 2, ...facts, place: { kind: "own", blob: own } });
    await backup({ state, dataDir: dir.path, target });
    await restore(target, join(root, "copy"));
    expect(await contents(join(root, "copy"))).toEqual({ a: "text" });
    const restored = await openState({ driver: "sqlite", file: join(root, "copy", "db", "sluice.db") });
    expect(await restored.multipartUpload("box", "film", "u")).toBeNull();
    expect(await restored.unknownBlobs([assembly.blobId, own.blobId])).toEqual([assembly.blobId, own.blobId]);
    await restored.close();
    expect(await state.parts("u", 0, 10)).toHaveLength(2);
  });

  it("is whole although objects come, are replaced and swept all the while", async () => {
    for (let key = 0; key < 40; key++) await put(`${key}`, `${key} first`);
    let running = true;
    let swept = 0;
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let n = 0; running; n++)
        await put(`${(writer * 10 + n) % 40}`, `${(writer * 10 + n) % 40} by ${writer} as ${n}`);
    });
    const sweeper = (async () => {
      for (; running; await nextTurn()) swept += await sweep();
    })();
    for (let copies = 0; copies < 4; copies++) {
      await backup({ state, dataDir: dir.path, target: join(root, `copy-${copies}`) });
      const before = swept;
      while (swept === before) await nextTurn();
    }
    running = false;
    await Promise.all([...writers, sweeper]);
    for (let copies = 0; copies < 4; copies++) {
      const found = await contents(join(root, `copy-${copies}`));
      expect(Object.keys(found)).toHaveLength(40);
      for (const [key, text] of Object.entries(found)) expect(text.startsWith(`${key} `)).toBe(true);
    }
  });

  it.runIf(existsSync("/dev/shm") && statSync("/dev/shm").dev !== statSync(tmpdir()).dev)(
    "copies the bytes to another file system",
    async () => {
      await put("a", "text");
      const elsewhere = mkdtempSync("/dev/shm/sluice-backup-");
      try {
        await backup({ state, dataDir: dir.path, target: join(elsewhere, "there") });
        await restore(join(elsewhere, "there"), join(root, "copy"));
        expect(await contents(join(root, "copy"))).toEqual({ a: "text" });
      } finally {
        rmSync(elsewhere, { recursive: true });
      }
    },
  );

  it("of a store that lacks bytes fails, leaves nothing, and lets the sweep go on", async () => {
    const id = await put("a", "text");
    unlinkSync(blobFile(dir.path, id));
    const failed = backup({ state, dataDir: dir.path, target });
    await expect(failed).rejects.toMatchObject({ code: "BACKUP_INVALID", message: expect.stringContaining(id) });
    expect(existsSync(target)).toBe(false);
    expect(leftovers()).toEqual([]);
    await put("a", "again");
    expect(await state.garbageBlobs(10)).toEqual([id]);
  });
});

describe("a restore", () => {
  let id = "";
  beforeEach(async () => {
    id = await put("a", "text");
    await backup({ state, dataDir: dir.path, target });
  });

  async function refuses(message: RegExp): Promise<void> {
    const copy = join(root, "copy");
    await expect(restore(target, copy)).rejects.toMatchObject({
      code: "BACKUP_INVALID",
      message: expect.stringMatching(message),
    });
    expect(existsSync(copy)).toBe(false);
    expect(leftovers()).toEqual([]);
  }

  it("needs an empty place", async () => {
    mkdirSync(join(root, "full"));
    writeFileSync(join(root, "full", "mine"), "");
    await expect(restore(target, join(root, "full"))).rejects.toMatchObject({ code: "BACKUP_INVALID" });
    expect(readdirSync(join(root, "full"))).toEqual(["mine"]);
    mkdirSync(join(root, "empty"));
    await restore(target, join(root, "empty"));
    expect(await contents(join(root, "empty"))).toEqual({ a: "text" });
    for (const name of ["full", "empty"]) rmSync(join(root, name), { recursive: true });
  });

  it("removes nothing that was there before", async () => {
    mkdirSync(join(root, "copy.partial"));
    writeFileSync(join(root, "copy.partial", "mine"), "");
    await expect(restore(target, join(root, "copy"))).rejects.toThrow(/copy\.partial" exists \(remove/);
    expect(readdirSync(join(root, "copy.partial"))).toEqual(["mine"]);
    await restore(target, join(root, "new", "folders"));
    expect(await contents(join(root, "new", "folders"))).toEqual({ a: "text" });
  });

  it("refuses what is no backup", async () => {
    rmSync(target, { recursive: true });
    mkdirSync(target);
    await refuses(/no backup of Sluice/);
  });

  it("refuses a backup that lacks a blob, or has it cut short", async () => {
    truncateSync(blobFile(target, id), 3);
    await refuses(new RegExp(`${id} has 3 bytes instead of 4`));
    unlinkSync(blobFile(target, id));
    await refuses(new RegExp(`${id} is missing`));
  });

  it("refuses a damaged database, and one that a newer program wrote", async () => {
    const file = join(target, "db", "sluice.db");
    const db = new DatabaseSync(file);
    db.exec("PRAGMA user_version=99");
    db.close();
    await refuses(/schema is version 99/);
    writeFileSync(file, readFileSync(file).fill(0x55, 4096));
    await refuses(/damaged|schema|malformed|quick_check|row|page/i);
    writeFileSync(file, "no database");
    await refuses(/damaged/);
  });
});
