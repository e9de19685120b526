import type { SQLInputValue } from "node:sqlite";

/** An INSERT of which many rows can be one statement. Each is made once: the object is the key of its waiting rows. */
export class RowInsert {
  readonly width: number;
  readonly #into: string;
  readonly #row: string;
  readonly #texts = new Map<number, string>();

  /** `row` is what stands between the brackets of one row, a `?` for each value. */
  constructor(into: string, row: string) {
    this.#into = into;
    this.#row = row;
    this.width = row.split("?").length - 1;
  }

  /** The same text for the same number of rows. */
  sql(rows: number): string {
    let text = this.#texts.get(rows);
    if (text === undefined) {
      text = `INSERT INTO ${this.#into} VALUES ${Array.from({ length: rows }, () => `(${this.#row})`).join(", ")}`;
      this.#texts.set(rows, text);
    }
    return text;
  }
}

/** Rows of one statement: sixteen cost a quarter less than sixteen statements, more win nothing. What is left over goes in few sizes, so that
 *  few statements are kept. */
const SIZES = [16, 4, 1] as const;
const FULL = SIZES[0];

type Run = (sql: string, values: readonly SQLInputValue[]) => void;

/** Rows that were added and not yet written. */
export class LateRows {
  readonly #run: Run;
  readonly #waiting = new Map<RowInsert, SQLInputValue[]>();
  #count = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  add(insert: RowInsert, values: readonly SQLInputValue[]): void {
    let waiting = this.#waiting.get(insert);
    if (waiting === undefined) {
      waiting = [];
      this.#waiting.set(insert, waiting);
    }
    for (const value of values) waiting.push(value);
    this.#count += 1;
    if (waiting.length === FULL * insert.width) this.#write(insert, waiting);
  }

  /** Writes what waits. When that fails the rest still waits: the transaction cannot go on, and `forget` follows. */
  write(): void {
    if (this.#count === 0) return;
    for (const [insert, waiting] of this.#waiting) this.#write(insert, waiting);
  }

  forget(): void {
    this.#waiting.clear();
    this.#count = 0;
  }

  #write(insert: RowInsert, waiting: SQLInputValue[]): void {
    const { width } = insert;
    for (const rows of SIZES) {
      while (waiting.length >= rows * width) {
        this.#run(insert.sql(rows), waiting.splice(0, rows * width));
        this.#count -= rows;
      }
    }
  }
}
