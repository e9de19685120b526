import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { LateRows, type RowInsert } from "./late-rows.ts";

/** The log file is cut to this after a time in which it could not be emptied: a backup was reading. */
const LOG_KEPT_BYTES = 64 * 1024 * 1024;
/** Memory for pages, in KiB: the server as a whole stays below 120 MB when idle. */
const CACHE_KIB = 2 * 1024;

/** One connection and its prepared statements. A statement is prepared at its first use and kept: the SQL text is its key, so callers
 *  pass constants. Row types are the caller's claim about its own SELECT. */
export class Database {
  readonly file: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #late = new LateRows((sql, values) => this.#statement(sql).run(...values));

  /** Opens or creates the file, 0600 with its -wal and -shm. Commits are durable: WAL with synchronous=FULL.
   *  Checkpoints are the group commit's, because the automatic ones hide a failed fsync. */
  constructor(file: string) {
    createPrivate(file);
    this.file = file;
    this.#db = new DatabaseSync(file, { enableForeignKeyConstraints: false, timeout: 5000 });
    this.#db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;
      PRAGMA journal_size_limit=${LOG_KEPT_BYTES}; PRAGMA cache_size=-${CACHE_KIB}; PRAGMA temp_store=MEMORY;`);
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#next(sql).run(...values).changes);
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#next(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#next(sql).all(...values) as Row[];
  }

  /** Rows one by one; the same SQL must not be iterated twice at once. */
  iterate<Row>(sql: string, ...values: SQLInputValue[]): Iterable<Row> {
    return this.#next(sql).iterate(...values) as Iterable<Row>;
  }

  /** Adds a row inside a transaction: now, or together with others before the next statement runs. No statement can find it missing. */
  append(insert: RowInsert, ...values: SQLInputValue[]): void {
    this.#late.add(insert, values);
  }

  /** Goes back to the start of the transaction or (`savepoint`) to there, if SQLite has not ended it itself. Rows that were added and not yet
   *  written are of what is taken back: a savepoint writes those before it. */
  rollback(savepoint?: string): void {
    this.#late.forget();
    if (!this.inTransaction) return;
    this.#statement(savepoint === undefined ? "ROLLBACK" : `ROLLBACK TO ${savepoint}`).run();
  }

  /** Runs SQL that is used once. */
  exec(sql: string): void {
    this.#late.write();
    this.#db.exec(sql);
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #next(sql: string): StatementSync {
    this.#late.write();
    return this.#statement(sql);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** SQLite gives -wal and -shm the mode of the database, so the file must exist with the right one first. */
function createPrivate(file: string): void {
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
}
