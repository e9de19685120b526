import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Database } from "./database.ts";
import { RowInsert } from "./late-rows.ts";

const PAIR = new RowInsert("pairs (a, b, kind)", "?, ?, 'x'");
const ONE = new RowInsert("ones (a)", "?");

let folder = "";
let db: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-late-"));
  db = new Database(join(folder, "state.db"));
  db.exec("CREATE TABLE pairs (a INTEGER PRIMARY KEY, b TEXT, kind TEXT); CREATE TABLE ones (a INTEGER UNIQUE);");
  db.run("BEGIN IMMEDIATE");
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const add = (from: number, to: number) => {
  for (let n = from; n < to; n += 1) db.append(PAIR, n, `b${n}`);
};
const count = () => db.get<{ n: number }>("SELECT count(*) n FROM pairs")?.n;

describe("rows that were added", () => {
  it.each([1, 3, 4, 15, 16, 17, 37, 64, 100])("are all there for the next statement: %d", (rows) => {
    add(0, rows);
    expect(db.all("SELECT a, b, kind FROM pairs ORDER BY a")).toEqual(
      Array.from({ length: rows }, (_, n) => ({ a: n, b: `b${n}`, kind: "x" })),
    );
  });

  it("are there for every kind of statement", () => {
    const seen: unknown[] = [];
    add(0, 1);
    seen.push(db.run("UPDATE pairs SET b = 'c'"));
    add(1, 2);
    seen.push(db.get("SELECT max(a) top FROM pairs"));
    add(2, 3);
    for (const row of db.iterate("SELECT count(*) n FROM pairs")) seen.push(row);
    add(3, 4);
    db.exec("INSERT INTO ones SELECT count(*) FROM pairs");
    seen.push(db.get("SELECT a FROM ones"));
    expect(seen).toEqual([1, { top: 1 }, { n: 3 }, { a: 4 }]);
  });

  it("to different tables at once keep their own values", () => {
    for (let n = 0; n < 40; n += 1) {
      db.append(PAIR, n, `b${n}`);
      if (n % 2 === 0) db.append(ONE, n);
    }
    expect(count()).toBe(40);
    expect(db.get("SELECT count(*) n, sum(a) sum FROM ones")).toEqual({ n: 20, sum: 380 });
  });

  it("are committed", () => {
    add(0, 21);
    db.run("COMMIT");
    db.close();
    db = new Database(join(folder, "state.db"));
    expect(count()).toBe(21);
  });
});

describe("a rollback", () => {
  it("to a savepoint takes back what was added since, and nothing before it", () => {
    add(0, 5);
    db.run("SAVEPOINT member");
    add(5, 30);
    db.rollback("member");
    db.run("RELEASE member");
    add(30, 31);
    expect(db.all("SELECT a FROM pairs ORDER BY a")).toEqual([0, 1, 2, 3, 4, 30].map((a) => ({ a })));
  });

  it("takes back all, written or not", () => {
    add(0, 21);
    db.rollback();
    expect(db.inTransaction).toBe(false);
    expect(count()).toBe(0);
  });

  it("forgets a row that could not be written, and those behind it", () => {
    db.append(ONE, 1);
    db.append(ONE, 1);
    add(0, 3);
    expect(() => count()).toThrow(/UNIQUE/);
    db.rollback();
    db.run("BEGIN IMMEDIATE");
    add(0, 1);
    expect(count()).toBe(1);
    expect(db.all("SELECT a FROM ones")).toEqual([]);
  });

  it("outside a transaction only forgets", () => {
    db.run("COMMIT");
    add(0, 1);
    db.rollback();
    expect(count()).toBe(0);
  });
});
