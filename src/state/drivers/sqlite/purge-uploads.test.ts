import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ADMIN, blob, service } from "../../testing/state-bench.ts";
import { continueFanOut } from "./background.ts";
import { addBlob, garbageBlobs } from "./blobs.ts";
import { deleteBucket } from "./buckets.ts";
import { applyServices, removeService } from "./services.ts";
import { openStore, type Store } from "./store.ts";

let folder = "";
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-uploads-"));
  store = openStore(join(folder, "state.db"));
  applyServices(store, ADMIN, [service("s", "", "box")], "apply");
});
afterEach(() => {
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An upload into the bucket with one assembly, and parts of which every second has a blob of its own. */
function upload(id: string, parts: number, completedAt: number | null = null): void {
  const columns = "upload_id, bucket, key, owner, initiated_at, content_type, assembly, part_bytes, completed_at";
  const assembly = completedAt === null ? addBlob(store, blob("assembly"), 1) : null;
  store.db.run(`INSERT INTO uploads (${columns}) VALUES (?, 1, 'k', 'a', 0, '', ?, 5, ?)`, id, assembly, completedAt);
  const row = store.db.get<{ id: number }>("SELECT id FROM uploads WHERE upload_id = ?", id)?.id ?? 0;
  for (let number = 1; number <= parts; number++) {
    const own = number % 2 === 0 ? addBlob(store, blob(`part ${number}`), 1) : null;
    store.db.run("INSERT INTO parts VALUES (?, ?, 5, 'm', x'', NULL, 0, ?)", row, number, own);
  }
}

const count = (table: string): number => store.db.get<{ n: number }>(`SELECT count(*) n FROM ${table}`)?.n ?? -1;

it("a bucket takes its open uploads with it", () => {
  upload("open", 2);
  deleteBucket(store, ADMIN, "box");
  expect([count("parts"), count("uploads"), count("blobs")]).toEqual([0, 0, 0]);
});

it("the open uploads of a removed bucket go in steps, and all their bytes become garbage", () => {
  upload("large", 1200);
  upload("small", 3);
  upload("done", 0, 7);
  removeService(store, ADMIN, "s", true);
  expect(count("parts")).toBe(703);
  while (continueFanOut(store, 100));
  expect([count("parts"), count("uploads"), count("blobs")]).toEqual([0, 1, 0]);
  expect(garbageBlobs(store, 10_000)).toHaveLength(2 + 600 + 1);
});
