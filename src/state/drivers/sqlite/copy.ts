import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { SluiceError } from "../../../core/errors.ts";
import type { CopiedBlob, StateCopy } from "../../state-copy.ts";
import { MIGRATIONS } from "./migrations.ts";

const CHUNK = 1000;
const BLOBS =
  "SELECT id, blob_id blobId, size sizeBytes FROM blobs WHERE inline IS NULL AND id > ? ORDER BY id LIMIT ?";

/** Reads a copy that `State.backup` wrote. @throws SluiceError BACKUP_INVALID when it is damaged, or newer than this program */
export function openSqliteCopy(file: string): StateCopy {
  const db = open(file);
  try {
    check(db, file);
  } catch (error) {
    db.close();
    throw error;
  }
  return { blobs: () => blobsOf(db), close: () => db.close() };
}

function open(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { readOnly: true });
  } catch (cause) {
    throw new SluiceError(
      "BACKUP_INVALID",
      `Cannot read the database copy "${file}": it is not there or not readable`,
      { cause },
    );
  }
}

function check(db: DatabaseSync, file: string): void {
  const version = pragma(db, file, "user_version");
  if (typeof version !== "number" || version < 1 || version > MIGRATIONS.length) {
    const message = `Cannot read the database copy "${file}": its schema is version ${version}, this program knows 1 to ${MIGRATIONS.length}`;
    throw new SluiceError("BACKUP_INVALID", message);
  }
  const state = pragma(db, file, "quick_check");
  if (state !== "ok")
    throw new SluiceError("BACKUP_INVALID", `Cannot read the database copy "${file}": ${String(state)}`);
}

function pragma(db: DatabaseSync, file: string, name: "user_version" | "quick_check"): unknown {
  try {
    return db.prepare(`PRAGMA ${name}`).get()?.[name];
  } catch (cause) {
    throw new SluiceError("BACKUP_INVALID", `Cannot read the database copy "${file}": it is damaged`, { cause });
  }
}

async function* blobsOf(db: DatabaseSync): AsyncGenerator<readonly CopiedBlob[]> {
  const next = db.prepare(BLOBS);
  let last = 0;
  for (;;) {
    const rows = next.all(last, CHUNK) as unknown as (CopiedBlob & { readonly id: number })[];
    const end = rows.at(-1);
    if (end === undefined) return;
    yield rows.map(({ blobId, sizeBytes }) => ({ blobId, sizeBytes }));
    last = end.id;
    await nextTurn();
  }
}
