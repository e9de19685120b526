import { SluiceError } from "../../../core/errors.ts";
import { checkKey } from "../../../core/keys.ts";
import type { ObjectInfo } from "../../../core/object.ts";
import type { Copy } from "../../object-calls.ts";
import type { CommittedUpload } from "../../state.ts";
import { pinBlob } from "./blobs.ts";
import { findBucket, mustFindBucket } from "./bucket-rows.ts";
import { settleKey } from "./fan-out.ts";
import { OBJECT_COLUMNS, type ObjectRow, toObjectInfo } from "./object-rows.ts";
import { type NewObject, putObject } from "./put-object.ts";
import type { Store } from "./store.ts";
import { latestVersion } from "./version-rows.ts";
import { checkWrite } from "./write-condition.ts";

const SOURCE = `SELECT ${OBJECT_COLUMNS} FROM objects o WHERE o.version_seq = ? AND o.bucket = ? AND o.key = ?`;

/** One more row names the source's blob, whether its bytes are a file or lie in the blob's row. The reference is taken before the write makes
 *  room, so that an object may be copied onto itself. */
export function copyObject(store: Store, copy: Copy): CommittedUpload {
  checkKey(copy.key);
  const bucket = mustFindBucket(store, copy.bucket);
  const source = mustFindSource(store, copy.source);
  settleKey(store, bucket, copy.key);
  checkWrite(copy, latestVersion(store, bucket.id, copy.key));
  if (!pinBlob(store, source.blob)) throw new Error(`blob ${source.blob} of version ${source.version_seq} is missing`);
  const info = copyInfo(copy, toObjectInfo(copy.source.bucket, source), store.tally.next("version"));
  const { info: object, jobIds } = putObject(store, { bucket, blob: source.blob, lineage: copy.lineage, info });
  return { object, jobIds };
}

function mustFindSource(store: Store, { bucket: name, key, versionSeq }: Copy["source"]) {
  const bucket = findBucket(store, name);
  if (bucket !== undefined) settleKey(store, bucket, key);
  const row = bucket === undefined ? undefined : store.db.get<ObjectRow>(SOURCE, versionSeq, bucket.id, key);
  if (row === undefined || row.blob === null) {
    throw new SluiceError("OBJECT_UNKNOWN", `Cannot copy "${name}/${key}": version ${versionSeq} is gone`);
  }
  return { ...row, blob: row.blob };
}

function copyInfo(copy: Copy, source: ObjectInfo, versionSeq: number): NewObject["info"] {
  const { contentType, metadata, headers } = copy.replace ?? source;
  return {
    bucket: copy.bucket,
    key: copy.key,
    versionSeq,
    sizeBytes: source.sizeBytes,
    etag: source.etag,
    contentType,
    metadata,
    headers,
    checksums: copy.checksums ?? source.checksums,
    tags: copy.tags ?? source.tags,
    parts: source.parts,
    lastModified: copy.at,
    owner: copy.by.subject,
    jobId: copy.lineage?.parentJobId ?? null,
  };
}
