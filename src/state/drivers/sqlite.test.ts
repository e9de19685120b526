import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADMIN, StateBench, service } from "../testing/state-bench.ts";
import { openSqliteState } from "./sqlite.ts";

/** What is this driver's own: its file, its groups, and what it answers when it cannot go on. */
describe("a database file", () => {
  let folder = "";
  let file = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-sqlite-"));
    file = join(folder, "state.db");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is private, and its log too", async () => {
    const state = await openSqliteState({ file });
    await state.createBucket(ADMIN, "photos");
    for (const name of [file, `${file}-wal`, `${file}-shm`]) expect(statSync(name).mode & 0o777).toBe(0o600);
    await state.close();
  });

  it("of a newer program is refused and left as it is", async () => {
    await (await openSqliteState({ file })).close();
    const db = new DatabaseSync(file);
    db.exec("PRAGMA user_version=99");
    db.close();
    await expect(openSqliteState({ file })).rejects.toMatchObject({ code: "DATA_DIR_NEWER" });
    expect(new DatabaseSync(file).prepare("PRAGMA user_version").get()).toEqual({ user_version: 99 });
  });

  it("that is none is refused", async () => {
    writeFileSync(file, "no database at all, but long enough to look like one ".repeat(100));
    await expect(openSqliteState({ file })).rejects.toMatchObject({ code: "DATA_DIR_INVALID" });
  });

  it("in a folder that is not there is refused", async () => {
    await expect(openSqliteState({ file: join(folder, "none", "state.db") })).rejects.toThrow(/none/);
    expect(existsSync(join(folder, "none"))).toBe(false);
  });

  it("is copied while writers go on, as it was at one moment", async () => {
    const state = await openSqliteState({ file });
    await state.createBucket(ADMIN, "before");
    const writers = Promise.all(
      Array.from({ length: 200 }, (_, n) => state.createBucket(ADMIN, `during-${String(n).padStart(3, "0")}`)),
    );
    const copy = join(folder, "copy.db");
    await Promise.all([state.backup(copy), writers]);
    await expect(state.backup(copy)).rejects.toThrow();
    await state.close();
    const copied = await openSqliteState({ file: copy });
    const names = (await copied.buckets(null)).map(({ name }) => name);
    expect(names[0]).toBe("before");
    expect((await copied.changeBounds()).last).toBe(names.length);
    await copied.close();
  });
});

describe("group commit", () => {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open("sqlite");
    await bench.apply(service("a"));
  });
  afterEach(() => bench.close());

  it("makes the calls of one turn durable with few fsyncs", async () => {
    const before = await bench.state.stats();
    await Promise.all(Array.from({ length: 64 }, () => bench.call("a")));
    await bench.call("a");
    const after = await bench.state.stats();
    expect(after.members - before.members).toBe(65);
    expect(after.commits - before.commits).toBeLessThan(20);
    expect(after.largestGroup).toBeGreaterThan(8);
  });

  it("lets a call fail alone, whatever shares its transaction", async () => {
    await bench.state.createBucket(ADMIN, "box");
    const calls = Array.from({ length: 100 }, (_, n) =>
      n % 10 === 3 ? bench.put("nowhere/x") : bench.put(`box/${String(n).padStart(3, "0")}`),
    );
    const ends = await Promise.allSettled(calls);
    ends.forEach((end, n) => {
      expect(end.status).toBe(n % 10 === 3 ? "rejected" : "fulfilled");
    });
    expect(await bench.keys("box")).toHaveLength(90);
    expect(await bench.changes("object.created")).toHaveLength(90);
  });

  it("refuses new work beyond what may wait, and never what ends work", async () => {
    const { id } = await bench.call("a");
    const { lease } = await bench.lease(id);
    const many = Array.from({ length: 10_050 }, () => bench.call("a"));
    const end = bench.finish(lease);
    const ends = await Promise.allSettled(many);
    const refused = ends.filter((each) => each.status === "rejected");
    expect(refused).toHaveLength(50);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "OVERLOADED", retryable: true });
    expect((await end).job.state).toBe("SUCCEEDED");
  });

  it("ends after the running transaction, and then refuses", async () => {
    const last = bench.call("a");
    const closed = bench.state.close();
    await expect(bench.call("a")).rejects.toMatchObject({ code: "STOPPING" });
    await Promise.all([last, closed]);
    const again = await openSqliteState({ file: join(bench.folder, "state.db") });
    expect((await again.jobs({ owner: null, limit: 9 })).jobs).toHaveLength(1);
    await again.close();
  });

  it("never lets a secret or a token into a job's row", async () => {
    const { id } = await bench.call("a");
    const { token } = await bench.lease(id);
    await bench.state.close();
    const db = new DatabaseSync(join(bench.folder, "state.db"));
    const rows = ["jobs", "attempts", "changes"].flatMap((table) => db.prepare(`SELECT * FROM ${table}`).all());
    expect(JSON.stringify(rows)).not.toContain(token);
    db.close();
  });
});
