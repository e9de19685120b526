/** What S3 has besides plain objects. Rules that the tables keep:
 *  - `buckets.versioning` is 0 while it was never on, 1 enabled, 2 suspended;
 *  - of the versions of a key the newest has `is_latest` 1, also when it is a delete marker; at most one of them is called "null";
 *  - `publications.versioned` names the buckets that had versioning enabled when the outputs became visible: ids between commas;
 *  - an upload's `assembly` names a blob row of size 0 whose file takes its parts in place; the upload holds the one reference to it,
 *    and each part in a blob of its own holds one to that;
 *  - a completed upload keeps its row for a day, with `completed` (the object as JSON) and without parts. */
export const versionsAndUploads = `
ALTER TABLE buckets ADD COLUMN versioning INTEGER NOT NULL DEFAULT 0;
ALTER TABLE publications ADD COLUMN versioned TEXT;
ALTER TABLE objects ADD COLUMN tags TEXT;
ALTER TABLE objects ADD COLUMN parts TEXT;
CREATE INDEX objects_older ON objects (bucket, key, version_seq DESC) WHERE is_latest = 0;
CREATE UNIQUE INDEX objects_older_null ON objects (bucket, key) WHERE is_latest = 0 AND version_id = 'null';

CREATE TABLE bucket_configs (
  bucket INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (bucket, kind)
) WITHOUT ROWID;
CREATE INDEX bucket_configs_kind ON bucket_configs (kind);

CREATE TABLE uploads (
  id INTEGER PRIMARY KEY AUTOINCREMENT, upload_id TEXT NOT NULL UNIQUE, bucket INTEGER NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL,
  initiated_at INTEGER NOT NULL, content_type TEXT NOT NULL, metadata TEXT, headers TEXT, tags TEXT, checksum TEXT, lineage TEXT,
  assembly INTEGER, part_bytes INTEGER, completed TEXT, completed_at INTEGER
);
CREATE INDEX uploads_key ON uploads (bucket, key, id) WHERE completed_at IS NULL;
CREATE INDEX uploads_completed ON uploads (completed_at) WHERE completed_at IS NOT NULL;
CREATE TABLE parts (
  upload INTEGER NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, piece_crc32c BLOB NOT NULL,
  checksums TEXT, at INTEGER NOT NULL, blob INTEGER, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
`;
