import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { SluiceError } from "../../../core/errors.ts";
import { crashPoint } from "../../../lib/crash-point.ts";
import type { Database } from "./database.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";

/** Brings the schema to the newest version, each step in a transaction of its own. A database that holds data is copied first, to
 *  `<file>.before-<number of the first step>` (0600, durable); a copy that an interrupted start left is written anew.
 *  @throws SluiceError DATA_DIR_NEWER when a newer program wrote the database */
export function migrate(db: Database, migrations: readonly Migration[] = MIGRATIONS): void {
  const version = schemaVersion(db);
  if (version > migrations.length) {
    throw new SluiceError(
      "DATA_DIR_NEWER",
      `Cannot open the database: its schema is version ${version}, this program knows ${migrations.length} (use the newer program)`,
      { details: { found: version, known: migrations.length } },
    );
  }
  if (version === migrations.length) return;
  if (version > 0) {
    copyBefore(db, version + 1);
    crashPoint("migrate.copied");
  }
  migrations.slice(version).forEach((migration, index) => {
    apply(db, migration, version + index + 1);
  });
}

export function schemaVersion(db: Database): number {
  return db.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
}

function apply(db: Database, migration: Migration, number: number): void {
  db.exec("BEGIN EXCLUSIVE");
  try {
    db.exec(`${migration.sql}; PRAGMA user_version=${number}; COMMIT`);
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw new SluiceError("DATA_DIR_INVALID", `Cannot migrate the database: step ${migration.name} failed`, {
      cause: error,
    });
  }
}

function copyBefore(db: Database, number: number): void {
  const copy = `${db.file}.before-${number}`;
  const unfinished = `${copy}.part`;
  rmSync(unfinished, { force: true });
  closeSync(openSync(unfinished, "wx", 0o600));
  db.run("VACUUM INTO ?", unfinished);
  syncPath(unfinished);
  renameSync(unfinished, copy);
  syncPath(dirname(copy));
}

function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
