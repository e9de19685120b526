import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ADMIN, blob } from "../../testing/state-bench.ts";
import { audit, type Query, TWINS } from "./audit.ts";
import { HOLDERS } from "./blob-holders.ts";
import { garbageBlobs } from "./blobs.ts";
import { createBucket } from "./buckets.ts";
import { commitUpload } from "./objects.ts";
import { openStore, type Store } from "./store.ts";
import { recountBlobs } from "./store-check.ts";

/** Rows that contradict each other, which no call makes. */

let folder = "";
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-audit-"));
  store = openStore(join(folder, "state.db"));
  createBucket(store, ADMIN, "box");
});
afterEach(() => {
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

const query: Query = <Row>(sql: string, ...values: readonly (string | number)[]) => store.db.all<Row>(sql, ...values);
const look = (limit = 100) => audit(query, [], limit);

function put(key: string): string {
  const facts = { contentType: "", metadata: {}, headers: {}, checksums: {}, condition: null, lineage: null, at: 1 };
  const bytes = blob(key);
  commitUpload(store, { by: ADMIN, bucket: "box", key, blob: bytes, ...facts });
  return bytes.blobId;
}

it("finds counts that are too high and too low, and a recount mends them", () => {
  const [high, low, none] = [put("high"), put("low"), put("none")];
  put("right");
  store.db.exec("UPDATE blobs SET refs = 5 WHERE id = 1; UPDATE blobs SET refs = 0 WHERE id = 2");
  store.db.exec("DELETE FROM objects WHERE key = 'none'");
  expect(look().references).toEqual([
    { row: 1, blobId: high, kept: 5, counted: 1 },
    { row: 2, blobId: low, kept: 0, counted: 1 },
    { row: 3, blobId: none, kept: 1, counted: 0 },
  ]);
  expect(look(2).references).toHaveLength(2);
  expect(recountBlobs(store, [1, 2, 3, 4])).toBe(3);
  expect(look()).toMatchObject({ blobs: 3, references: [] });
  expect(garbageBlobs(store, 9)).toEqual([none]);
});

it("finds things whose blob has no row: before, between and behind those that have one", () => {
  for (const key of ["a", "b", "c", "d", "e"]) put(key);
  store.db.exec("DELETE FROM blobs WHERE id IN (1, 3, 5)");
  const found = look();
  expect(found.lost.map(({ row, key, damage, bucket }) => ({ row, key, damage, bucket }))).toEqual(
    [[1, "a"] as const, [3, "c"] as const, [5, "e"] as const].map(([row, key]) => ({
      row,
      key,
      damage: "row",
      bucket: "box",
    })),
  );
  expect(found).toMatchObject({ blobs: 2, references: [] });
  expect(look(1).lost).toHaveLength(1);
});

it("finds objects that are not of their blob's size", () => {
  put("a");
  put("b");
  store.db.exec("UPDATE objects SET size = 99 WHERE key = 'b'");
  expect(look().lost).toMatchObject([{ key: "b", versionId: "null", isLatest: true, damage: "size" }]);
});

it("says nothing of what lies in a bucket that is being removed", () => {
  put("a");
  store.db.exec("DELETE FROM buckets; DELETE FROM blobs");
  expect(look().lost).toEqual([]);
});

it("reads each table once, however many blobs are asked for", () => {
  const planOf = (sql: string): string[] =>
    store.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail);
  const scans = (sql: string): string[] => planOf(sql).filter((step) => /^SCAN \w+$/.test(step));
  expect(scans(TWINS)).toEqual(["SCAN b"]);
  expect(planOf(TWINS)).toContain("SEARCH d USING AUTOMATIC COVERING INDEX (size=? AND md5=?)");
  expect(scans(HOLDERS)).toEqual(["SCAN o", "SCAN s", "SCAN u", "SCAN p", "SCAN j"]);
});
