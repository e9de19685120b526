import type { ObjectInfo } from "../../core/object.ts";

/** An object of the plainest kind, for tests of what carries rows from thread to thread. */
export const SAMPLE_OBJECT: ObjectInfo = {
  bucket: "box",
  key: "a",
  versionSeq: 7,
  versionId: "null",
  isLatest: true,
  isDeleteMarker: false,
  sizeBytes: 0,
  etag: "d41d8cd98f00b204e9800998ecf8427e",
  contentType: "text/plain",
  metadata: {},
  headers: {},
  checksums: {},
  tags: {},
  parts: null,
  lastModified: 1_700_000_000_000,
  owner: "admin",
  jobId: null,
};
