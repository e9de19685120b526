import type { DamagedBlob, KeptBlob, ScrubProgress } from "../../store-check-calls.ts";
import { NAMED } from "./blob-holders.ts";
import { type BlobRow, dropBlob, toBlobRef } from "./blobs.ts";
import type { Store } from "./store.ts";

const PAGE = "SELECT id, blob_id, size, md5, block_crc32c, inline FROM blobs WHERE id > ? ORDER BY id LIMIT ?";
const RECOUNT = `SELECT b.id, b.refs, ifnull(n.n, 0) counted
  FROM blobs b LEFT JOIN (SELECT blob, count(*) n FROM (${NAMED}) WHERE blob IN (SELECT value FROM json_each(?1)) GROUP BY blob) n
  ON n.blob = b.id WHERE b.id IN (SELECT value FROM json_each(?1))`;
const SET_REFS = "UPDATE blobs SET refs = ? WHERE id = ?";
const SET_INLINE = "UPDATE blobs SET inline = ? WHERE id = ? AND inline IS NOT NULL";
const PROGRESS = "SELECT after, started_at startedAt, ended_at endedAt FROM scrub";
const SAVE = "INSERT OR REPLACE INTO scrub (id, after, started_at, ended_at) VALUES (1, ?, ?, ?)";
const SOUND = "DELETE FROM damaged_blobs WHERE blob > ? AND blob <= ?";
const DAMAGED = "INSERT OR REPLACE INTO damaged_blobs (blob, damage, found_at) VALUES (?, ?, ?)";
/** CROSS JOIN keeps the order: the few that are damaged lead to their blobs. */
const FOUND = `SELECT f.blob "row", b.blob_id blobId, f.damage FROM damaged_blobs f CROSS JOIN blobs b ON b.id = f.blob ORDER BY f.blob LIMIT ?`;
const FOUND_COUNT = "SELECT count(*) n FROM damaged_blobs f CROSS JOIN blobs b ON b.id = f.blob";

interface PageRow extends BlobRow {
  readonly id: number;
  readonly size: number;
  readonly md5: string;
  readonly block_crc32c: Uint8Array;
}

export function blobPage(store: Store, after: number, limit: number): KeptBlob[] {
  return store.db.all<PageRow>(PAGE, after, limit).map((row) => ({
    row: row.id,
    blobId: row.blob_id,
    sizeBytes: row.size,
    md5: row.md5,
    blockCrc32c: row.block_crc32c,
    blob: toBlobRef(row),
  }));
}

export function recountBlobs(store: Store, rows: readonly number[]): number {
  const counts = store.db.all<{ id: number; refs: number; counted: number }>(RECOUNT, JSON.stringify(rows));
  const wrong = counts.filter(({ refs, counted }) => refs !== counted);
  for (const { id, counted } of wrong) {
    // One more, which is dropped at once, so that a blob nobody names leaves by the one way out.
    store.db.run(SET_REFS, counted === 0 ? 1 : counted, id);
    if (counted === 0) dropBlob(store, id);
  }
  return wrong.length;
}

export function replaceInline(store: Store, row: number, bytes: Uint8Array): boolean {
  return store.db.run(SET_INLINE, bytes, row) === 1;
}

export function scrubProgress(store: Store): ScrubProgress | null {
  const row = store.db.get<ScrubProgress>(PROGRESS);
  return row === undefined ? null : { ...row };
}

export function saveScrub(store: Store, { after, startedAt, endedAt }: ScrubProgress): void {
  store.db.run(SAVE, after, startedAt, endedAt);
}

export function noteDamage(
  store: Store,
  after: number,
  upTo: number,
  found: readonly Omit<DamagedBlob, "blobId">[],
  at: number,
): void {
  store.db.run(SOUND, after, upTo);
  for (const { row, damage } of found) store.db.run(DAMAGED, row, damage, at);
}

export function damagedBlobs(store: Store, limit: number): DamagedBlob[] {
  return store.db.all<DamagedBlob>(FOUND, limit).map((row) => ({ ...row }));
}

export function damagedCount(store: Store): number {
  return store.db.get<{ n: number }>(FOUND_COUNT)?.n ?? 0;
}
