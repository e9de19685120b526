import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADMIN } from "../../testing/state-bench.ts";
import { continueFanOut } from "./background.ts";
import { bucket, setVersioning } from "./buckets.ts";
import { Database } from "./database.ts";
import { deleteObjects } from "./delete-objects.ts";
import { listVersions } from "./list-versions.ts";
import { migrate, schemaVersion } from "./migrate.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";
import { object, objectVersion } from "./object-version.ts";
import { openStore } from "./store.ts";

const STEPS: readonly Migration[] = [
  { name: "0001-first", sql: "CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('old')" },
  { name: "0002-second", sql: "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7" },
];

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-migrate-"));
  file = join(folder, "state.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function withDatabase<T>(path: string, use: (db: Database) => T): T {
  const db = new Database(path);
  try {
    return use(db);
  } finally {
    db.close();
  }
}
const rows = (path: string) => withDatabase(path, (db) => db.all("SELECT * FROM things"));

/** What the first schema's program wrote: an object with its blob, and outputs that are published but not settled. */
const FIRST_DATA = `
  INSERT INTO buckets (name, owner, created_at) VALUES ('box', 'ada', 1);
  INSERT INTO blobs VALUES (1, 'b1', 1, 4, 'm1', x'', x'61626364'), (2, 'b2', 1, 4, 'm2', x'', NULL);
  INSERT INTO objects VALUES (1, 1, 'old', 'null', 1, 0, 1, 4, 'm1', 'text/plain', 1, 'ada', NULL, '{"m":"1"}', NULL, NULL);
  INSERT INTO publications VALUES (1, 1, 1, 1, 1, 0, 0, NULL, 1, 'j', 'ada', 'r', 0, 1);
  INSERT INTO staged VALUES (1, 1, 'out', 1, 2, 'text/plain', 0);
  UPDATE sequences SET version_seq = 2, blob_seq = 2, objects = 1;`;

describe("the step to versions and uploads", () => {
  it("keeps objects, which become null versions, and outputs that are not settled yet", () => {
    withDatabase(file, (db) => {
      migrate(db, MIGRATIONS.slice(0, 1));
      db.exec(FIRST_DATA);
    });
    const store = openStore(file);
    try {
      const plain = { versionId: "null", isLatest: true, tags: {}, parts: null };
      expect(bucket(store, "box")).toMatchObject({ versioning: "off" });
      expect(object(store, "box", "old")).toMatchObject({ ...plain, metadata: { m: "1" }, blob: { kind: "inline" } });
      setVersioning(store, ADMIN, "box", "enabled");
      expect(objectVersion(store, "box", "out", "null")).toMatchObject({ ...plain, versionSeq: 2 });
      while (continueFanOut(store, 10));
      expect(objectVersion(store, "box", "out", null)).toMatchObject({ ...plain, versionSeq: 2 });
      const [marker] = deleteObjects(store, ADMIN, "box", [{ key: "old" }], 1);
      expect(marker).toMatchObject({ existed: true, deleteMarker: "0000000000000003" });
      const query = { bucket: "box", prefix: "", delimiter: "", afterKey: "", afterVersionId: null, limit: 10 };
      const ids = listVersions(store, query).versions.map(({ key, versionId }) => `${key} ${versionId}`);
      expect(ids).toEqual(["old 0000000000000003", "old null", "out null"]);
    } finally {
      store.db.close();
    }
    expect(existsSync(`${file}.before-2`)).toBe(true);
  });
});

describe("migrate", () => {
  it("goes on from where the database is, and copies it first", () => {
    withDatabase(file, (db) => migrate(db, STEPS.slice(0, 1)));
    expect(existsSync(`${file}.before-1`)).toBe(false);
    withDatabase(file, (db) => migrate(db, STEPS));
    expect(rows(file)).toEqual([{ name: "old", size: 7 }]);
    expect(rows(`${file}.before-2`)).toEqual([{ name: "old" }]);
    expect(statSync(`${file}.before-2`).mode & 0o777).toBe(0o600);
    withDatabase(file, (db) => migrate(db, STEPS));
    expect(withDatabase(file, schemaVersion)).toBe(2);
  });

  it("takes a step whole or not at all", () => {
    const broken = [...STEPS.slice(0, 1), { name: "0002-broken", sql: "DELETE FROM things; CREATE TABLE things (x)" }];
    withDatabase(file, (db) => migrate(db, STEPS.slice(0, 1)));
    expect(() => withDatabase(file, (db) => migrate(db, broken))).toThrowError(
      expect.objectContaining({ code: "DATA_DIR_INVALID", message: expect.stringContaining("0002-broken") }),
    );
    expect(withDatabase(file, schemaVersion)).toBe(1);
    expect(rows(file)).toEqual([{ name: "old" }]);
  });

  it("refuses what a newer program wrote", () => {
    withDatabase(file, (db) => migrate(db, STEPS));
    expect(() => withDatabase(file, (db) => migrate(db, STEPS.slice(0, 1)))).toThrowError(
      expect.objectContaining({ code: "DATA_DIR_NEWER" }),
    );
  });

  it("that is killed after the copy starts again, with nothing lost", () => {
    withDatabase(file, (db) => migrate(db, STEPS.slice(0, 1)));
    const program = `import { Database } from ${JSON.stringify(join(import.meta.dirname, "database.ts"))};
      import { migrate } from ${JSON.stringify(join(import.meta.dirname, "migrate.ts"))};
      migrate(new Database(${JSON.stringify(file)}), ${JSON.stringify(STEPS)});`;
    const killed = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      env: { ...process.env, SLUICE_CRASH_AT: "migrate.copied" },
    });
    expect(killed.signal).toBe("SIGKILL");
    expect(rows(`${file}.before-2`)).toEqual([{ name: "old" }]);
    expect(withDatabase(file, schemaVersion)).toBe(1);
    withDatabase(file, (db) => migrate(db, STEPS));
    expect(rows(file)).toEqual([{ name: "old", size: 7 }]);
  });
});
