/** Every place that names a blob, as `blobs.refs` counts it. */
export const NAMED = `SELECT blob FROM objects WHERE blob IS NOT NULL UNION ALL SELECT blob FROM staged UNION ALL
  SELECT assembly FROM uploads WHERE assembly IS NOT NULL UNION ALL SELECT blob FROM parts WHERE blob IS NOT NULL UNION ALL
  SELECT input_blob FROM jobs WHERE input_blob IS NOT NULL AND (open = 1 OR input_bucket IS NULL)`;

const WANTED = "(SELECT value FROM json_each(?1))";

/** Who names the blobs of a JSON list of rows. What lies in a bucket that is being removed is left out: nobody can see it. */
export const HOLDERS = `
  SELECT o.blob "row", 'object' holder, k.name bucket, o.key, o.version_id versionId, o.is_latest isLatest, NULL id
  FROM objects o JOIN buckets k ON k.id = o.bucket WHERE o.blob IN ${WANTED} UNION ALL
  SELECT s.blob, 'output', k.name, s.key, NULL, 0, p.job_id FROM staged s JOIN publications p ON p.id = s.publication
  JOIN buckets k ON k.id = s.bucket WHERE s.blob IN ${WANTED} UNION ALL
  SELECT u.assembly, 'upload', k.name, u.key, NULL, 0, u.upload_id FROM uploads u JOIN buckets k ON k.id = u.bucket
  WHERE u.assembly IN ${WANTED} UNION ALL
  SELECT p.blob, 'upload', k.name, u.key, NULL, 0, u.upload_id FROM parts p JOIN uploads u ON u.id = p.upload
  JOIN buckets k ON k.id = u.bucket WHERE p.blob IN ${WANTED} UNION ALL
  SELECT j.input_blob, 'job', NULL, NULL, NULL, 0, j.id FROM jobs j
  WHERE j.input_blob IN ${WANTED} AND (j.open = 1 OR j.input_bucket IS NULL)`;

/** Objects that are not of their blob's size. */
export const OF_OTHER_SIZE = `
  SELECT o.blob "row", 'object' holder, k.name bucket, o.key, o.version_id versionId, o.is_latest isLatest, NULL id
  FROM objects o JOIN blobs b ON b.id = o.blob JOIN buckets k ON k.id = o.bucket WHERE o.size <> b.size`;
