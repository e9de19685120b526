import { SluiceError } from "../../../core/errors.ts";
import type { Completion } from "../../object-calls.ts";
import type { CommittedUpload } from "../../state.ts";
import { addBlob, dropBlob, setBlobFacts } from "./blobs.ts";
import { mustFindBucket } from "./bucket-rows.ts";
import { settleKey } from "./fan-out.ts";
import { textsOf } from "./object-rows.ts";
import { type NewObject, putObject } from "./put-object.ts";
import type { Store } from "./store.ts";
import { lineageOf, mustFindOpenUpload, type UploadRow } from "./upload-rows.ts";
import { dropParts } from "./uploads.ts";
import { latestVersion } from "./version-rows.ts";
import { checkWrite } from "./write-condition.ts";

const PART_MD5S = "SELECT number, md5 FROM parts WHERE upload = ?";
const COMPLETED = "UPDATE uploads SET completed = ?, completed_at = ?, assembly = NULL WHERE id = ?";

export function completeUpload(store: Store, completion: Completion): CommittedUpload {
  const bucket = mustFindBucket(store, completion.bucket);
  const upload = mustFindOpenUpload(store, completion.uploadId);
  if (upload.bucket !== bucket.id || upload.key !== completion.key) {
    throw new SluiceError("UPLOAD_UNKNOWN", `Cannot complete the upload: it is not for "${completion.key}"`);
  }
  checkParts(store, upload, completion);
  settleKey(store, bucket, upload.key);
  checkWrite(completion, latestVersion(store, bucket.id, upload.key));
  const blob = takeBytes(store, upload, completion.bytes);
  const info = objectInfo(completion, upload, store.tally.next("version"));
  const { info: object, jobIds } = putObject(store, { bucket, blob, lineage: lineageOf(upload), info });
  dropParts(store, upload.id);
  store.db.run(COMPLETED, JSON.stringify({ ...object, parts: null }), completion.at, upload.id);
  return { object, jobIds };
}

/** The caller chose among the parts that it saw: one that was replaced since would be of other bytes. */
function checkParts(store: Store, upload: UploadRow, { parts }: Completion): void {
  const rows = store.db.all<{ number: number; md5: string }>(PART_MD5S, upload.id);
  const known = new Map(rows.map((row) => [row.number, row.md5]));
  const wrong = parts.find((part) => known.get(part.number) !== part.md5);
  if (wrong === undefined) return;
  throw new SluiceError("PART_INVALID", `Cannot complete the upload: part ${wrong.number} is not there with that ETag`);
}

/** The blob of the object, with one reference for it. The assembly's reference, which was the upload's, goes over to the object. */
function takeBytes(store: Store, upload: UploadRow, bytes: Completion["bytes"]): number {
  if (bytes.kind === "assembly") {
    if (upload.assembly === null) throw new Error(`upload ${upload.upload_id} has no assembly`);
    setBlobFacts(store, upload.assembly, bytes.sizeBytes, bytes.blockCrc32c);
    return upload.assembly;
  }
  const blob = addBlob(store, bytes.blob, 1);
  if (upload.assembly !== null) dropBlob(store, upload.assembly);
  return blob;
}

function objectInfo(completion: Completion, upload: UploadRow, versionSeq: number): NewObject["info"] {
  const { bucket, key, etag, checksums, parts, bytes, at, by } = completion;
  return {
    bucket,
    key,
    versionSeq,
    sizeBytes: bytes.kind === "assembly" ? bytes.sizeBytes : bytes.blob.sizeBytes,
    etag,
    contentType: upload.content_type,
    metadata: textsOf(upload.metadata),
    headers: textsOf(upload.headers),
    checksums,
    tags: textsOf(upload.tags),
    parts: parts.map((part) => ({ sizeBytes: part.sizeBytes, checksums: part.checksums })),
    lastModified: at,
    owner: by.subject,
    jobId: lineageOf(upload)?.parentJobId ?? null,
  };
}
