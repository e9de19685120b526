import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { newBlobId } from "../../src/core/ids.ts";
import { ADMIN_SUBJECT, type Principal } from "../../src/core/principal.ts";
import { openState } from "../../src/state/open.ts";
import type { State } from "../../src/state/state.ts";
import { type RunningServer, startServer } from "../../test/support/server.ts";

export const MILLION = 1_000_000;
export const KEYS_BUCKET = "keys";
export const PREFIXES_BUCKET = "prefixes";
export const FEW_BUCKET = "few";
export const FEW = 10_000;

const BY: Principal = { issuer: "local", subject: ADMIN_SUBJECT, groups: [], scopes: ["admin"], via: "internal" };
const EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e";

/** A server whose store has 1,000,000 keys under one prefix, 1,000,000 prefixes below one, and a bucket of 10,000 keys. The first of
 *  each is made through the state and multiplied in the database: copies of one object, as server-side copies would be. */
export async function withMillions<T>(task: (server: RunningServer) => Promise<T>): Promise<T> {
  const parent = await mkdtemp(join(process.cwd(), ".bench-s3-"));
  try {
    const data = join(parent, "data");
    await (await startServer({ data })).stop();
    const file = join(data, "db", "sluice.db");
    await fill(file, KEYS_BUCKET, MILLION, ".bin");
    await fill(file, PREFIXES_BUCKET, MILLION, "/part.bin");
    await fill(file, FEW_BUCKET, FEW, ".bin");
    const server = await startServer({ data });
    try {
      return await task(server);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

async function fill(file: string, bucket: string, count: number, end: string): Promise<void> {
  const state = await openState({ driver: "sqlite", file });
  await state.createBucket(BY, bucket);
  await put(state, bucket, `${keyOf(0)}${end}`);
  await state.close();
  multiply(file, count, end);
}

const keyOf = (n: number): string => `data/${String(n).padStart(7, "0")}`;

/** Makes the newest object the first of `count`. */
function multiply(file: string, count: number, end: string): void {
  const db = new DatabaseSync(file);
  const columns = db.prepare("PRAGMA table_info(objects)").all() as Array<{ readonly name: string }>;
  const others = columns.map(({ name }) => name).filter((name) => name !== "key" && name !== "version_seq");
  db.exec(`BEGIN;
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count - 1}),
      first AS (SELECT * FROM objects ORDER BY version_seq DESC LIMIT 1)
    INSERT INTO objects (version_seq, key, ${others.join(", ")})
      SELECT version_seq + n, printf('data/%07d', n) || '${end}', ${others.join(", ")} FROM numbers, first;
    UPDATE blobs SET refs = ${count} WHERE id = (SELECT blob FROM objects ORDER BY version_seq DESC LIMIT 1);
    UPDATE sequences SET version_seq = version_seq + ${count - 1}, objects = objects + ${count - 1};
    COMMIT;
    PRAGMA wal_checkpoint(TRUNCATE)`);
  db.close();
}

async function put(state: State, bucket: string, key: string): Promise<void> {
  const nothing = new Uint8Array(0);
  await state.commitUpload({
    by: BY,
    bucket,
    key,
    blob: { blobId: newBlobId(), sizeBytes: 0, md5: EMPTY_MD5, blockCrc32c: nothing, inline: nothing },
    contentType: "binary/octet-stream",
    metadata: {},
    headers: {},
    checksums: {},
    condition: null,
    lineage: null,
    at: Date.now(),
  });
}
