import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ADMIN, blob } from "../../testing/state-bench.ts";
import { createBucket } from "./buckets.ts";
import type { CallName } from "./calls.ts";
import { completeUpload } from "./complete-upload.ts";
import { isGrowing, isRead } from "./handlers.ts";
import { listUploads } from "./list-uploads.ts";
import { openStore, type Store } from "./store.ts";
import { abortUpload, createUpload, putPart } from "./uploads.ts";

let folder = "";
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-uploads-"));
  store = openStore(join(folder, "state.db"));
  createBucket(store, ADMIN, "box");
  store.db.run("BEGIN");
});
afterEach(() => {
  vi.restoreAllMocks();
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

function begin(uploadId: string, key = "a"): void {
  const facts = { contentType: "", metadata: {}, headers: {}, tags: {}, checksum: null, lineage: null, at: 1 };
  createUpload(store, { by: ADMIN, uploadId, bucket: "box", key, ...facts });
}

/** An upload of so many parts; every second one in a blob of its own. */
function filled(uploadId: string, count: number) {
  begin(uploadId);
  const parts = Array.from({ length: count }, (_, n) => ({ number: n + 1, sizeBytes: 5, md5: `m${n}`, checksums: {} }));
  for (const part of parts) {
    const assembly = { kind: "assembly", blobId: uploadId, partBytes: 5 } as const;
    const place = part.number % 2 === 0 ? ({ kind: "own", blob: blob("p") } as const) : assembly;
    putPart(store, uploadId, { ...part, pieceCrc32c: new Uint8Array(4), at: 1, place });
  }
  return parts;
}

/** How many statements it runs. */
function statements(run: () => unknown): number {
  const spies = (["run", "get", "all", "iterate"] as const).map((name) => vi.spyOn(store.db, name));
  run();
  const count = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  vi.restoreAllMocks();
  return count;
}

it("an upload of 10,000 parts ends with as few statements as one of two", () => {
  const bytes = { kind: "assembly", sizeBytes: 5, blockCrc32c: new Uint8Array(4) } as const;
  const object = { by: ADMIN, bucket: "box", key: "a", etag: "e", checksums: {}, bytes, condition: null, at: 1 };
  const complete = (uploadId: string, count: number): number => {
    const parts = filled(uploadId, count);
    return statements(() => completeUpload(store, { ...object, uploadId, parts }));
  };
  complete("first", 2);
  expect(complete("small", 2)).toBe(complete("large", 10_000));
  filled("two", 2);
  filled("many", 1000);
  const abort = (uploadId: string): number => statements(() => abortUpload(store, "box", "a", uploadId));
  expect(abort("two")).toBe(abort("many"));
  expect(store.db.all("SELECT number FROM parts")).toEqual([]);
});

it("a listing reads one row for a folder of 5,000 uploads", () => {
  for (let n = 0; n < 5000; n++) begin(`many-${n}`, `many/${n}`);
  begin("one", "one/1");
  begin("z", "z");
  const keys: string[] = [];
  const { iterate } = store.db;
  store.db.iterate = function* counted<Row>(sql: string, ...values: Parameters<typeof iterate>[1][]): Generator<Row> {
    for (const row of iterate.call(store.db, sql, ...values)) {
      keys.push((row as { key: string }).key);
      yield row as Row;
    }
  };
  const all = { bucket: "box", prefix: "", afterKey: "", afterUploadId: null };
  const page = listUploads(store, { ...all, delimiter: "/", limit: 1000 });
  expect(page).toMatchObject({ commonPrefixes: ["many/", "one/"], uploads: [{ key: "z" }], next: null });
  expect(keys).toEqual(["many/0", "one/1", "z"]);
});

it("what adds bytes is refused on a full disk, and what frees them is not", () => {
  const writes: CallName[] = ["createUpload", "putPart", "completeUpload", "abortUpload", "forgetCompletedUploads"];
  expect(writes.filter(isGrowing)).toEqual(["createUpload", "putPart", "completeUpload"]);
  expect(writes.filter(isRead)).toEqual([]);
});
