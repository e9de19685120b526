import type { BlobRef, StagedBlob } from "../../../core/object.ts";
import type { Store } from "./store.ts";

const INSERT = `INSERT INTO blobs (id, blob_id, refs, size, md5, block_crc32c, inline) VALUES (?, ?, ?, ?, ?, ?, ?)`;
const FIND = "SELECT id FROM blobs WHERE blob_id = ?";
const IN_GARBAGE = "SELECT 1 FROM garbage WHERE blob_id = ?";
const ADD_REFS = "UPDATE blobs SET refs = refs + ? WHERE id = ?";
const SET_FACTS = "UPDATE blobs SET size = ?, block_crc32c = ? WHERE id = ?";
const DROP_REF = "UPDATE blobs SET refs = refs - 1 WHERE id = ? RETURNING refs, blob_id, inline IS NOT NULL is_inline";
const DELETE = "DELETE FROM blobs WHERE id = ?";
const OF_PARTS = "SELECT blob FROM parts WHERE upload = ?1 AND blob IS NOT NULL";
const DROP_PARTS_REFS = `UPDATE blobs SET refs = refs - named.n
  FROM (SELECT blob, count(*) n FROM (${OF_PARTS}) GROUP BY blob) named WHERE blobs.id = named.blob`;
const DISCARD_PARTS = `INSERT OR IGNORE INTO garbage (blob_id)
  SELECT blob_id FROM blobs WHERE id IN (${OF_PARTS}) AND refs = 0 AND inline IS NULL ORDER BY blob_id`;
const DELETE_PARTS = `DELETE FROM blobs WHERE id IN (${OF_PARTS}) AND refs = 0`;
const DISCARD = "INSERT OR IGNORE INTO garbage (blob_id) VALUES (?)";
const GARBAGE = "SELECT blob_id FROM garbage LIMIT ?";
const FORGET = "DELETE FROM garbage WHERE blob_id = ?";

/** Gives durable bytes a row with `refs` references, or adds them when another output of the same finish names the blob too. */
export function addBlob(store: Store, blob: StagedBlob, refs: number): number {
  const known = store.db.get<{ id: number }>(FIND, blob.blobId);
  if (known !== undefined) {
    store.db.run(ADD_REFS, refs, known.id);
    return known.id;
  }
  if (store.db.get(IN_GARBAGE, blob.blobId) !== undefined) throw new Error(`blob ${blob.blobId} is being removed`);
  const id = store.tally.next("blob");
  store.db.run(INSERT, id, blob.blobId, refs, blob.sizeBytes, blob.md5, blob.blockCrc32c, blob.inline);
  return id;
}

/** Says what an assembly's file came to. It has no MD5: parts have one each. */
export function setBlobFacts(store: Store, id: number, sizeBytes: number, blockCrc32c: Uint8Array): void {
  store.db.run(SET_FACTS, sizeBytes, blockCrc32c, id);
}

/** One more row names the blob: a job pins it. False when the blob is gone. */
export function pinBlob(store: Store, id: number): boolean {
  return store.db.run(ADD_REFS, 1, id) === 1;
}

/** One row less names the blob; after the last one its file is garbage. */
export function dropBlob(store: Store, id: number): void {
  const row = store.db.get<{ refs: number; blob_id: string; is_inline: number }>(DROP_REF, id);
  if (row === undefined || row.refs > 0) return;
  store.db.run(DELETE, id);
  if (row.is_inline === 0) store.db.run(DISCARD, row.blob_id);
}

/** The same for what each part of an upload names. Three statements: there may be 10,000 in one transaction. */
export function dropPartBlobs(store: Store, upload: number): void {
  if (store.db.run(DROP_PARTS_REFS, upload) === 0) return;
  store.db.run(DISCARD_PARTS, upload);
  store.db.run(DELETE_PARTS, upload);
}

/** Staged bytes that will not be published: garbage, unless a row names them after all (a finish that was sent twice). */
export function discardStaged(store: Store, blobs: readonly StagedBlob[]): void {
  for (const blob of blobs) {
    if (blob.inline === null && store.db.get(FIND, blob.blobId) === undefined) store.db.run(DISCARD, blob.blobId);
  }
}

export function garbageBlobs(store: Store, limit: number): string[] {
  return store.db.all<{ blob_id: string }>(GARBAGE, limit).map((row) => row.blob_id);
}

export function forgetBlobs(store: Store, blobIds: readonly string[]): void {
  for (const blobId of blobIds) store.db.run(FORGET, blobId);
}

/** Garbage counts as known: it has its own way out. */
export function unknownBlobs(store: Store, blobIds: readonly string[]): string[] {
  return blobIds.filter(
    (blobId) => store.db.get(FIND, blobId) === undefined && store.db.get(IN_GARBAGE, blobId) === undefined,
  );
}

/** Columns of `blobs` that `toBlobRef` reads. */
export interface BlobRow {
  readonly blob_id: string;
  readonly inline: Uint8Array | null;
}

export function toBlobRef(row: BlobRow): BlobRef {
  return row.inline === null
    ? { kind: "file", blobId: row.blob_id }
    : { kind: "inline", blobId: row.blob_id, bytes: row.inline };
}
