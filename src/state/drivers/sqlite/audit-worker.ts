import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { audit, type Query } from "./audit.ts";
import type { AuditOrder } from "./audit-thread.ts";

/** A thread that reads the whole database at one moment, by a connection of its own: nobody waits for it. */
function run({ file, asked, limit }: AuditOrder) {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  const query: Query = <Row>(sql: string, ...values: readonly SQLInputValue[]) =>
    db.prepare(sql).iterate(...values) as Iterable<Row>;
  try {
    db.exec("BEGIN");
    return audit(query, asked, limit);
  } finally {
    db.close();
  }
}

parentPort?.postMessage(run(workerData as AuditOrder));
