import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { SluiceError } from "../core/errors.ts";

export interface DirLock {
  release(): void;
}

const LOOK_EVERY_MS = 100;

/** Takes the data directory for this process alone.
 *
 *  Node has no flock, and a file with a pid in it can name a stranger after a crash. SQLite holds real locks (fcntl) as long as a transaction is
 *  open, and the kernel drops them when the process ends, by kill -9 too; so `DIR/lock` is an empty database in an exclusive transaction. Nothing
 *  else in this process may open that file: closing it would drop the lock. `lock.pid` only names the owner for the message.
 *  @throws SluiceError DATA_DIR_LOCKED after `waitMs` */
export async function acquireDirLock(dir: string, waitMs: number): Promise<DirLock> {
  const owner = join(dir, "lock.pid");
  const until = performance.now() + waitMs;
  for (;;) {
    const database = tryLock(join(dir, "lock"));
    if (database !== null) {
      writeFileSync(owner, `${process.pid}\n`, { mode: 0o600 });
      return {
        release() {
          rmSync(owner, { force: true });
          database.close();
        },
      };
    }
    if (performance.now() >= until) {
      throw new SluiceError(
        "DATA_DIR_LOCKED",
        `Cannot use "${dir}": process ${ownerPid(owner)} uses it (stop that one, or choose another directory with --data)`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Null when another process has it. */
function tryLock(file: string): DatabaseSync | null {
  const database = new DatabaseSync(file);
  try {
    // No journal: nothing is ever written, and a leftover of one would have to be opened.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return null;
    throw error;
  }
}

function ownerPid(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "of another start";
  }
}
