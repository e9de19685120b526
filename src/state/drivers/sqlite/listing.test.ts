import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareKeys } from "../../../core/keys.ts";
import { ADMIN } from "../../testing/state-bench.ts";
import { createBucket } from "./buckets.ts";
import { endOfPrefix } from "./key-range.ts";
import { listObjects } from "./listing.ts";
import { openStore, type Store } from "./store.ts";

let folder = "";
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-listing-"));
  store = openStore(join(folder, "state.db"));
  createBucket(store, ADMIN, "box");
});
afterEach(() => {
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Rows as `put-object` writes them; `version` orders them against outputs that are published but not settled. */
function insert(keys: readonly string[], bucket = 1): void {
  store.db.exec("BEGIN");
  store.db.run(
    "INSERT INTO blobs VALUES (?, ?, 1, 0, '', x'', NULL)",
    store.tally.next("blob"),
    `${bucket}-${keys.length}`,
  );
  for (const key of keys) {
    const version = store.tally.next("version");
    const sql = `INSERT INTO objects (version_seq, bucket, key, version_id, is_latest, is_delete_marker, blob, size, etag, content_type,
      last_modified, owner) VALUES (?, ?, ?, 'null', 1, 0, 1, 0, '', '', 0, '')`;
    store.db.run(sql, version, bucket, key);
  }
  store.db.exec("COMMIT");
}

/** A publication of these keys: visible (1), still staging (0) or discarded (2). */
function stage(keys: readonly string[], state: 0 | 1 | 2): void {
  const base = store.tally.reserve("version", keys.length);
  const values =
    "(job, attempt, state, staged, replaced, checked_version, version_base, job_id, owner, root_event_id, hops, published_at)";
  store.db.run(`INSERT INTO publications ${values} VALUES (?, 1, ?, 0, 0, 0, ?, 'j', '', '', 0, 0)`, base, state, base);
  const { id = 0 } = store.db.get<{ id: number }>("SELECT max(id) id FROM publications") ?? {};
  keys.forEach((key, n) => {
    store.db.run("INSERT INTO staged VALUES (?, 1, ?, ?, 1, 'staged', 0)", id, key, n + 1);
  });
}

type Item = string | { readonly fold: string };

function items(prefix: string, delimiter: string, limit: number): Item[] {
  const found: Item[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const page = listObjects(store, { bucket: "box", prefix, after, delimiter, limit });
    expect(page.objects.length + page.commonPrefixes.length).toBeLessThanOrEqual(limit);
    const both: Item[] = [...page.objects.map(({ key }) => key), ...page.commonPrefixes.map((fold) => ({ fold }))];
    found.push(...both.sort((a, b) => compareKeys(nameOf(a), nameOf(b))));
    after = page.next;
  }
  return found;
}

const nameOf = (item: Item): string => (typeof item === "string" ? item : item.fold);

/** The same by the words of the S3 manual: every key in order, those that share a prefix up to the delimiter once. */
function expected(keys: readonly string[], prefix: string, delimiter: string): Item[] {
  const found = new Map<string, Item>();
  for (const key of keys.filter((each) => each.startsWith(prefix)).toSorted(compareKeys)) {
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const fold = at < 0 ? null : key.slice(0, at + delimiter.length);
    found.set(fold ?? key, fold === null ? key : { fold });
  }
  return [...found.values()];
}

const HARD = [
  "!",
  "../a",
  "/",
  "//",
  "//a",
  "a",
  "a/",
  "a//",
  "a//b",
  "a/b",
  "a0",
  "ab/c",
  "b",
  "b😀/1",
  "b😀/2",
  "b\uffff",
  "é",
  "\u{10ffff}/x",
];

describe("a listing", () => {
  it.each([1, 2, 3, 1000])("in pages of %i equals a plain sort and fold", (limit) => {
    insert(HARD);
    for (const prefix of ["", "/", "a", "a/", "a//", "b", "b😀", "\u{10ffff}", "none"]) {
      for (const delimiter of ["", "/", "//", "😀"]) {
        expect(items(prefix, delimiter, limit), `${prefix} by ${delimiter}`).toEqual(expected(HARD, prefix, delimiter));
      }
    }
  });

  it("mixes in published outputs that are not settled, and no others", () => {
    insert(HARD.filter((_, n) => n % 3 === 0));
    stage(
      HARD.filter((_, n) => n % 3 === 1 || n === 0),
      1,
    );
    stage(["a/b", "published-twice"], 1);
    stage(["published-twice"], 1);
    stage(["staging", "a"], 0);
    stage(["discarded"], 2);
    const visible = [...HARD.filter((_, n) => n % 3 !== 2), "a/b", "published-twice"];
    for (const limit of [1, 3, 1000]) {
      for (const delimiter of ["", "/"]) expect(items("", delimiter, limit)).toEqual(expected(visible, "", delimiter));
    }
    const { objects } = listObjects(store, { bucket: "box", prefix: "!", after: "", delimiter: "", limit: 10 });
    expect(objects).toMatchObject([{ key: "!", contentType: "staged" }]);
  });

  it("goes on behind any key, there or not", () => {
    insert(["a", "c/1", "c/2", "d"]);
    const behind = (key: string, delimiter = "") => {
      const page = listObjects(store, { bucket: "box", prefix: "", after: key, delimiter, limit: 10 });
      return [...page.commonPrefixes, ...page.objects.map((object) => object.key)];
    };
    expect(behind("b")).toEqual(["c/1", "c/2", "d"]);
    expect(behind("c/1")).toEqual(["c/2", "d"]);
    expect(behind("c/1", "/")).toEqual(["c/", "d"]);
    expect(behind("c/", "/")).toEqual(["d"]);
    expect(behind("d")).toEqual([]);
    const below = listObjects(store, { bucket: "box", prefix: "c/", after: "a", delimiter: "", limit: 10 });
    expect(below.objects.map(({ key }) => key)).toEqual(["c/1", "c/2"]);
  });

  it("says nothing for a limit of nothing, and that a bucket is unknown", () => {
    insert(["a"]);
    const query = { prefix: "", after: "", delimiter: "" };
    expect(listObjects(store, { bucket: "box", ...query, limit: 0 })).toEqual({
      objects: [],
      commonPrefixes: [],
      next: null,
    });
    expect(() => listObjects(store, { bucket: "none", ...query, limit: 1 })).toThrowError(/"none"/);
  });

  it("reads one row for a folder of 20,000 keys", () => {
    insert([...Array.from({ length: 20_000 }, (_, n) => `many/${n}`), "one/1", "z"]);
    const rows: string[] = [];
    const { iterate } = store.db;
    store.db.iterate = function* counted<Row>(sql: string, ...values: Parameters<typeof iterate>[1][]): Generator<Row> {
      for (const row of iterate.call(store.db, sql, ...values)) {
        rows.push((row as { key: string }).key);
        yield row as Row;
      }
    };
    const page = listObjects(store, { bucket: "box", prefix: "", after: "", delimiter: "/", limit: 1000 });
    expect(page).toMatchObject({ commonPrefixes: ["many/", "one/"], objects: [{ key: "z" }], next: null });
    expect(rows).toEqual(["many/0", "one/1", "z"]);
  });

  it("ends early behind very many delete markers, and goes on from there", () => {
    insert(["live/a", ...Array.from({ length: 10_500 }, (_, n) => `marked/${String(n).padStart(5, "0")}`), "z"]);
    store.db.run("UPDATE objects SET is_delete_marker = 1, blob = NULL WHERE key LIKE 'marked/%'");
    const query = { bucket: "box", prefix: "", after: "", delimiter: "", limit: 10 };
    const page = listObjects(store, query);
    expect(page).toMatchObject({ objects: [{ key: "live/a" }], next: "marked/09999" });
    expect(items("", "/", 10)).toEqual([{ fold: "live/" }, "z"]);
    expect(items("marked/", "", 10)).toEqual([]);
  });

  it("keeps to its bucket", () => {
    createBucket(store, ADMIN, "other");
    insert(["a"], 1);
    insert(["b"], 2);
    expect(items("", "", 10)).toEqual(["a"]);
  });
});

describe("the end of a prefix", () => {
  it.each([
    ["a", "b"],
    ["a/", "a0"],
    ["\ud7ff", "\ue000"],
    ["a\u{10ffff}", "b"],
    ["😀", "😁"],
  ])("%s is %s", (prefix, end) => {
    expect(endOfPrefix(prefix)).toBe(end);
  });

  it("is nowhere for what has nothing behind it", () => {
    expect(endOfPrefix("")).toBeNull();
    expect(endOfPrefix("\u{10ffff}\u{10ffff}")).toBeNull();
  });
});
