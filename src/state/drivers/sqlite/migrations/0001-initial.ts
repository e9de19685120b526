import { ADMIN_SUBJECT } from "../../../../core/principal.ts";

/** The first schema. Rules that the tables keep:
 *  - every number that orders things comes from `sequences`, is given once and never again, even when its row is gone;
 *  - `blobs.refs` counts the object rows, staged outputs, open jobs and, where it came with the call, all jobs that name the blob; at 0 the row
 *    goes and a file blob enters `garbage`;
 *  - text compares by its UTF-8 bytes (BINARY), which is the order of keys;
 *  - `jobs.wait` is NULL unless QUEUED, else 0 ready, 1 blocked by an earlier job of the same service and input key, 2 in backoff;
 *  - `jobs.open` is 1 until the job is terminal; a new job enters two indexes only, its id's and `jobs_open`;
 *  - changes of the administrator's are in no index of owners, as he reads the whole log;
 *  - a `staged` row becomes readable when its publication's `state` is 1, and moves to `objects` later. */
export const initial = `
CREATE TABLE sequences (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  change_seq INTEGER NOT NULL, version_seq INTEGER NOT NULL, job_seq INTEGER NOT NULL, blob_seq INTEGER NOT NULL,
  objects INTEGER NOT NULL
);
INSERT INTO sequences VALUES (1, 0, 0, 0, 0, 0);

CREATE TABLE changes (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
  sequencer INTEGER NOT NULL, data TEXT NOT NULL
);
CREATE INDEX changes_owner ON changes (owner, seq) WHERE owner <> '${ADMIN_SUBJECT}';

CREATE TABLE services (
  name TEXT PRIMARY KEY, owner TEXT NOT NULL, token TEXT NOT NULL, token_hash BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, revision TEXT NOT NULL
);
CREATE TABLE revisions (
  id TEXT PRIMARY KEY, service TEXT NOT NULL, owner TEXT NOT NULL, created_at INTEGER NOT NULL,
  last_job INTEGER, spec TEXT NOT NULL
);
CREATE INDEX revisions_service ON revisions (service);
CREATE TABLE service_counts (
  service TEXT NOT NULL, owner TEXT NOT NULL,
  queued INTEGER NOT NULL, running INTEGER NOT NULL, delivering INTEGER NOT NULL, succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, active INTEGER NOT NULL,
  PRIMARY KEY (service, owner)
) WITHOUT ROWID;

CREATE TABLE buckets (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE TABLE blobs (
  id INTEGER PRIMARY KEY, blob_id TEXT NOT NULL UNIQUE, refs INTEGER NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL,
  block_crc32c BLOB NOT NULL, inline BLOB
);
CREATE TABLE garbage (blob_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE objects (
  version_seq INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, key TEXT NOT NULL, version_id TEXT NOT NULL,
  is_latest INTEGER NOT NULL, is_delete_marker INTEGER NOT NULL, blob INTEGER, size INTEGER NOT NULL, etag TEXT NOT NULL,
  content_type TEXT NOT NULL, last_modified INTEGER NOT NULL, owner TEXT NOT NULL, job_id TEXT,
  metadata TEXT, headers TEXT, checksums TEXT
);
CREATE UNIQUE INDEX objects_latest ON objects (bucket, key) WHERE is_latest = 1;
CREATE INDEX objects_job ON objects (job_id, key) WHERE job_id IS NOT NULL;

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, service TEXT NOT NULL, revision TEXT NOT NULL, owner TEXT NOT NULL,
  state INTEGER NOT NULL, wait INTEGER, open INTEGER NOT NULL, priority INTEGER NOT NULL, created_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, reason TEXT, message TEXT NOT NULL DEFAULT '',
  started_at INTEGER, ended_at INTEGER,
  script_failures INTEGER NOT NULL DEFAULT 0, infrastructure_ends INTEGER NOT NULL DEFAULT 0, unclean_stops INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER, signal TEXT, usage TEXT,
  replaced_outputs INTEGER NOT NULL DEFAULT 0, output_count INTEGER NOT NULL DEFAULT 0,
  run_name TEXT, retry_of TEXT,
  input_blob INTEGER, input_name TEXT, input_bytes INTEGER NOT NULL,
  input_bucket TEXT, input_key TEXT, input_version INTEGER, input_etag TEXT,
  event_id TEXT NOT NULL, root_event_id TEXT NOT NULL, parent_job_id TEXT, hops INTEGER NOT NULL,
  event_source TEXT NOT NULL, event_time INTEGER NOT NULL, payload TEXT NOT NULL
);
CREATE INDEX jobs_open ON jobs (service, wait, priority DESC, seq) WHERE open = 1;
CREATE INDEX jobs_backoff ON jobs (service, not_before) WHERE wait = 2;
CREATE INDEX jobs_input_key ON jobs (input_bucket, input_key, service, seq) WHERE open = 1 AND input_key IS NOT NULL;
CREATE INDEX jobs_terminal ON jobs (service, state, seq) WHERE open = 0;
CREATE INDEX jobs_run_name ON jobs (run_name, seq) WHERE run_name IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, job INTEGER NOT NULL, number INTEGER NOT NULL, state INTEGER NOT NULL, worker TEXT NOT NULL,
  token_hash BLOB, leased_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, outcome TEXT,
  message TEXT NOT NULL DEFAULT '', exit_code INTEGER, signal TEXT, usage TEXT, grants TEXT NOT NULL, log BLOB,
  UNIQUE (job, number)
);
CREATE INDEX attempts_open ON attempts (worker) WHERE state < 3;
CREATE UNIQUE INDEX attempts_token ON attempts (token_hash) WHERE token_hash IS NOT NULL;

CREATE TABLE publications (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, attempt INTEGER NOT NULL, state INTEGER NOT NULL,
  staged INTEGER NOT NULL, replaced INTEGER NOT NULL, checked_version INTEGER NOT NULL, refusal TEXT, version_base INTEGER,
  job_id TEXT NOT NULL, owner TEXT NOT NULL, root_event_id TEXT NOT NULL, hops INTEGER NOT NULL, published_at INTEGER,
  UNIQUE (job, attempt)
);
CREATE INDEX publications_due ON publications (state) WHERE state > 0;
CREATE TABLE staged (
  publication INTEGER NOT NULL, bucket INTEGER NOT NULL, key TEXT NOT NULL, n INTEGER NOT NULL, blob INTEGER NOT NULL,
  content_type TEXT NOT NULL, replaces INTEGER NOT NULL,
  PRIMARY KEY (publication, bucket, key, n)
) WITHOUT ROWID;
CREATE INDEX staged_key ON staged (bucket, key);

CREATE TABLE chores (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, owner TEXT NOT NULL, upto INTEGER NOT NULL);
`;
