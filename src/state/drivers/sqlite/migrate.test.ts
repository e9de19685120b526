import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Database } from "./database.ts";
import { migrate, schemaVersion } from "./migrate.ts";
import type { Migration } from "./migrations.ts";

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
