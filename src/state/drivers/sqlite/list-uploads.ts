import type { MultipartUpload, UploadPage, UploadQuery } from "../../object-calls.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { commonPrefix, type Entry, foldedWalk, startAfter } from "./folded-walk.ts";
import type { Store } from "./store.ts";
import { findUpload, toUpload, UPLOAD_SELECT, type UploadRow } from "./upload-rows.ts";

const OPEN = `${UPLOAD_SELECT} WHERE u.bucket = ? AND u.completed_at IS NULL`;
const ORDER = "ORDER BY u.key, u.id";
const FROM = `${OPEN} AND u.key >= ? AND u.key < ? ${ORDER}`;
const AFTER = `${OPEN} AND u.key > ? AND u.key < ? ${ORDER}`;
const LATER_OF_KEY = `${OPEN} AND u.key = ? AND u.id > ? ${ORDER}`;

/** A page of open uploads by key, and for one key by the time of their beginning. When the upload that a page goes on behind was aborted, it
 *  goes on from the first upload of that key: a client that aborts what it lists must come by all of them. */
export function listUploads(store: Store, query: UploadQuery): UploadPage {
  const bucket = mustFindBucket(store, query.bucket);
  const uploads: MultipartUpload[] = [];
  const commonPrefixes: string[] = [];
  let next: UploadPage["next"] = null;
  if (query.limit <= 0) return { uploads, commonPrefixes, next };
  for (const entry of entries(store, bucket.id, query)) {
    if (uploads.length + commonPrefixes.length === query.limit) return { uploads, commonPrefixes, next };
    if ("prefix" in entry) {
      commonPrefixes.push(entry.prefix);
      next = { key: entry.prefix, uploadId: null };
    } else {
      uploads.push(toUpload(query.bucket, entry.row));
      next = { key: entry.row.key, uploadId: entry.row.upload_id };
    }
  }
  return { uploads, commonPrefixes, next: null };
}

function* entries(store: Store, bucket: number, query: UploadQuery): Generator<Entry<UploadRow>> {
  const { afterKey, afterUploadId, prefix } = query;
  if (afterUploadId !== null && afterKey.startsWith(prefix) && commonPrefix(afterKey, query) === null) {
    const seen = findUpload(store, afterUploadId);
    const behind = seen?.bucket === bucket && seen.key === afterKey ? seen.id : 0;
    for (const row of store.db.iterate<UploadRow>(LATER_OF_KEY, bucket, afterKey, behind)) yield { row };
  }
  yield* foldedWalk(query, startAfter(query, afterKey), (start, end) =>
    store.db.iterate<UploadRow>(start.inclusive ? FROM : AFTER, bucket, start.key, end),
  );
}
