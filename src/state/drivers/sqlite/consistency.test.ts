import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { ErrorCode } from "../../../core/errors.ts";
import type { AttemptResult, Lease } from "../../../core/job.ts";
import type { DeleteTarget } from "../../object-calls.ts";
import type { LeasedJob } from "../../state.ts";
import { Dice } from "../../testing/dice.ts";
import { ADMIN, blob, output, result, service } from "../../testing/state-bench.ts";
import type { Call, CallName } from "./calls.ts";
import { orderRow } from "./crossing-job.ts";
import { uploadRow } from "./crossing-upload.ts";
import { GroupCommit } from "./group-commit.ts";
import { openStore, type Store } from "./store.ts";

/** Hundreds of random calls in random groups, some of which fail; then everything that is kept twice (counters, references, flags, the change
 *  log) must agree with the rows. The seed of a failing run is in its name. */

const OUTCOMES: AttemptResult["outcome"][] = ["ok", "ok", "ok", "exit", "lost", "stopped", "cancelled"];
const KEYS = ["1", "2", "3"];
const NOTHING = { resources: {}, devices: [] };
const HELD =
  "SELECT j.id jobId, a.number attempt, a.worker FROM attempts a JOIN jobs j ON j.seq = a.job WHERE a.state < 3";

const VERSIONS = `SELECT k.name bucket, o.key, o.version_id, o.version_seq FROM objects o JOIN buckets k ON k.id = o.bucket
  ORDER BY o.version_seq DESC LIMIT 12`;

const UPLOADS = `SELECT u.id, u.upload_id uploadId, k.name bucket, u.key, u.assembly FROM uploads u JOIN buckets k ON k.id = u.bucket
  ORDER BY u.id DESC LIMIT 6`;
const PARTS = "SELECT number, md5 FROM parts WHERE upload = ?";

class RandomCalls {
  readonly #store: Store;
  readonly #groups: GroupCommit;
  readonly #dice: Dice;
  #leases: Lease[] = [];
  #lastId = 0;
  readonly codes = new Set<ErrorCode>();

  constructor(store: Store, dice: Dice) {
    this.#store = store;
    this.#groups = new GroupCommit(store, null);
    this.#dice = dice;
    this.group([this.#apply()]);
  }

  group(calls: readonly [CallName, ...unknown[]][]): void {
    const waiting = calls.map(([name, ...args]): Call => [++this.#lastId, name, args]);
    const { answers } = this.#groups.run((room) => waiting.splice(0, room));
    for (const [, ok, value] of answers) {
      if (!ok) this.codes.add(value.code);
      else if (Array.isArray(value)) this.#leases.push(...(value as LeasedJob[]).flatMap(({ lease }) => lease ?? []));
    }
  }

  groupOfMany(): void {
    this.group(Array.from({ length: 1 + this.#dice.below(20) }, () => this.#call()));
  }

  #apply(): [CallName, ...unknown[]] {
    const retries = { maxAttempts: 2, backoffMs: 0 };
    const onConflict = this.#dice.pick(["overwrite", "rename", "fail"] as const) ?? "fail";
    const specs = [service("a", "inbox", "mid", { retries, onConflict }), service("b", "mid", "out", { retries })];
    return ["applyServices", ADMIN, specs, "apply"];
  }

  #call(): [CallName, ...unknown[]] {
    const dice = this.#dice.below(300);
    const job = this.#job();
    if (dice < 50) return this.#put();
    if (dice < 90) return ["leaseJobs", [{ jobId: this.#ready(), worker: "w", grants: NOTHING }], Date.now()];
    if (dice < 130) return this.#finish();
    if (dice < 145) return ["stageOutputs", this.#lease(), this.#outputs()];
    if (dice < 155) return ["startAttempt", this.#lease(), 1];
    if (dice < 170) return ["continueFanOut", 1 + this.#dice.below(3)];
    if (dice < 174) return ["cancelJob", ADMIN, job, 1];
    if (dice < 180) return ["retryJob", ADMIN, job, 1];
    if (dice < 183) return ["deleteJob", ADMIN, job];
    if (dice < 186) return ["deleteObjects", ADMIN, this.#bucket(), this.#targets(false), 1];
    if (dice < 192) return this.#enqueue();
    if (dice < 194) return ["recoverAttempts", "w", 1];
    if (dice < 195) return ["expireJobs", Date.now() + 1000, 3];
    if (dice < 196) return ["removeService", ADMIN, this.#dice.pick(["a", "b"]), this.#dice.below(2) === 0];
    if (dice < 200) return this.#apply();
    if (dice < 208) return this.#copy();
    if (dice < 218) return ["deleteObjects", ADMIN, this.#bucket(), this.#targets(true), 1];
    if (dice < 222) return ["setObjectTags", ADMIN, this.#bucket(), "1", null, { t: "1" }];
    if (dice < 224) return ["setBucketConfig", ADMIN, this.#bucket(), "cors", "<x/>"];
    if (dice < 230)
      return ["setVersioning", ADMIN, this.#bucket(), this.#dice.pick(["enabled", "enabled", "suspended"])];
    return this.#multipart(dice - 230);
  }

  /** @param dice below 70 */
  #multipart(dice: number): [CallName, ...unknown[]] {
    const { uploadId, bucket, key, assembly, parts } = this.#upload();
    if (dice < 14) return this.#createUpload();
    if (dice < 50) return ["putPart", uploadId, this.#part(uploadId)];
    if (dice < 54) return ["abortUpload", bucket, key, uploadId];
    if (dice < 56) return ["forgetCompletedUploads", 1 + this.#dice.below(2), 2];
    const bytes = this.#dice.pick([
      ...(assembly === null ? [] : [{ kind: "assembly", sizeBytes: 5, blockCrc32c: new Uint8Array(4) }]),
      { kind: "blob", blob: blob("together", this.#dice.below(2) === 0 ? "inline" : "file") },
    ]);
    const condition = this.#dice.below(8) === 0 ? { ifNoneMatch: "*" } : null;
    const object = { by: ADMIN, bucket, key, uploadId, etag: "e-1", checksums: {}, parts, bytes, condition, at: 1 };
    return ["completeUpload", object];
  }

  #createUpload(): [CallName, ...unknown[]] {
    const facts = { contentType: "", metadata: {}, headers: {}, tags: {}, checksum: null, lineage: null };
    const place = { bucket: this.#bucket(), key: this.#dice.pick(KEYS) };
    return ["createUpload", { by: ADMIN, uploadId: `u${++this.#lastId}`, ...place, ...facts, at: 1 }];
  }

  #part(uploadId: string) {
    const facts = { sizeBytes: 5, md5: String(this.#dice.below(2)), pieceCrc32c: new Uint8Array(4), checksums: {} };
    const bytes = blob("p", this.#dice.below(3) === 0 ? "inline" : "file");
    const place = this.#dice.pick([
      { kind: "assembly", blobId: `assembly-${uploadId}`, partBytes: 5 },
      { kind: "own", blob: bytes },
    ]);
    return { number: 1 + this.#dice.below(3), ...facts, place, at: 1 };
  }

  /** One of the last, with the parts that it has or nearly has. */
  #upload() {
    type Row = { id: number; uploadId: string; bucket: string; key: string; assembly: number | null };
    const upload = this.#dice.pick(this.#store.db.all<Row>(UPLOADS));
    if (upload === undefined) return { uploadId: "none", bucket: "none", key: "none", assembly: null, parts: [] };
    const parts = this.#store.db.all<{ number: number; md5: string }>(PARTS, upload.id);
    if (this.#dice.below(5) === 0) parts.push({ number: 9, md5: "0" });
    return { ...upload, parts: parts.map((part) => ({ ...part, sizeBytes: 5, checksums: {} })) };
  }

  #bucket = (): string => this.#dice.pick(["inbox", "mid", "out"]) ?? "";

  #put(): [CallName, ...unknown[]] {
    const bucket = this.#dice.pick(["inbox", "inbox", "mid", "nowhere"]) ?? "";
    const facts = { contentType: "", metadata: {}, headers: {}, checksums: {}, condition: null };
    const lineage = this.#dice.below(20) === 0 ? { rootId: "r", parentJobId: "p", hops: 16 } : null;
    const bytes = blob("x", this.#dice.below(3) === 0 ? "inline" : "file");
    const key = this.#dice.pick(KEYS) ?? "";
    return ["commitUpload", ...uploadRow({ by: ADMIN, bucket, key, blob: bytes, ...facts, lineage, at: 1 })];
  }

  /** Keys, or a few versions that there are in some bucket. */
  #targets(byId: boolean): DeleteTarget[] {
    if (!byId) return KEYS.slice(1).map((key) => ({ key }));
    return [this.#version(), this.#version()].map(({ key, version_id: versionId }) => ({ key, versionId }));
  }

  #version() {
    type Row = { bucket: string; key: string; version_id: string; version_seq: number };
    const rows = this.#store.db.all<Row>(VERSIONS);
    return this.#dice.pick(rows) ?? { bucket: "none", key: "none", version_id: "null", version_seq: 1 };
  }

  #copy(): [CallName, ...unknown[]] {
    const { bucket, key, version_seq: versionSeq } = this.#version();
    const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
    const target = { bucket: this.#bucket(), key: this.#dice.pick(KEYS) };
    return ["copyObject", { by: ADMIN, source: { bucket, key, versionSeq }, ...target, ...kept, at: 1 }];
  }

  #enqueue(): [CallName, ...unknown[]] {
    const event = {
      id: "e",
      source: "http" as const,
      time: 1,
      object: null,
      rootId: "e",
      parentJobId: null,
      hops: 0,
      payload: "",
    };
    const body = this.#dice.below(2) === 0 ? blob("body") : null;
    return ["enqueue", ...orderRow({ service: "a", event, body, runName: null, priority: this.#dice.below(3) })];
  }

  #finish(): [CallName, ...unknown[]] {
    const outcome = this.#dice.pick(OUTCOMES) ?? "ok";
    return ["finishAttempt", this.#lease(), result(outcome), this.#outputs(), null, Date.now()];
  }

  #outputs() {
    const bucket = this.#dice.below(30) === 0 ? "nowhere" : undefined;
    return Array.from({ length: this.#dice.below(4) }, () =>
      output(`${bucket ?? this.#dice.pick(["mid", "out"])}/${this.#dice.pick(KEYS)}`),
    );
  }

  /** Sometimes one that is not held any more. */
  #lease(): Lease {
    const old = this.#dice.below(6) === 0;
    const held = old ? [] : this.#store.db.all<Lease>(HELD);
    return this.#dice.pick(held) ?? this.#dice.pick(this.#leases) ?? { jobId: "none", attempt: 1, worker: "w" };
  }

  #ready(): string {
    return (
      this.#dice.pick(this.#store.db.all<{ id: string }>("SELECT id FROM jobs WHERE wait IN (0, 2)"))?.id ?? "none"
    );
  }

  #job(): string {
    const rows = this.#store.db.all<{ id: string }>("SELECT id FROM jobs ORDER BY seq DESC LIMIT 12");
    return this.#dice.pick(rows)?.id ?? "none";
  }
}

/** Statements that find rows which contradict others; each must find none. */
const CONTRADICTIONS: Record<string, string> = {
  "counters of jobs": `SELECT c.service, c.owner FROM service_counts c WHERE (queued, running, succeeded, failed, cancelled) <> (
      SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 3),
        count(*) FILTER (WHERE state = 4), count(*) FILTER (WHERE state = 5)
      FROM jobs j WHERE j.service = c.service AND j.owner = c.owner)`,
  "counter of objects":
    "SELECT objects FROM sequences WHERE objects <> (SELECT count(*) FROM objects WHERE is_latest = 1 AND is_delete_marker = 0)",
  "counters of attempts": `SELECT c.service FROM service_counts c WHERE active <> (
      SELECT count(*) FROM attempts a JOIN jobs j ON j.seq = a.job WHERE a.state < 3 AND j.service = c.service AND j.owner = c.owner)`,
  "references of blobs": `SELECT b.id, b.refs FROM blobs b WHERE refs <= 0 OR refs <> (SELECT count(*) FROM objects o WHERE o.blob = b.id)
      + (SELECT count(*) FROM staged s WHERE s.blob = b.id)
      + (SELECT count(*) FROM uploads u WHERE u.assembly = b.id) + (SELECT count(*) FROM parts p WHERE p.blob = b.id)
      + (SELECT count(*) FROM jobs j WHERE j.input_blob = b.id AND (j.open = 1 OR j.input_bucket IS NULL))`,
  "blobs that are needed but gone": `SELECT j.id FROM jobs j LEFT JOIN blobs b ON b.id = j.input_blob
      WHERE j.open = 1 AND j.input_blob IS NOT NULL AND b.id IS NULL UNION ALL
      SELECT o.key FROM objects o LEFT JOIN blobs b ON b.id = o.blob WHERE b.id IS NULL AND o.is_delete_marker = 0 UNION ALL
      SELECT u.key FROM uploads u LEFT JOIN blobs b ON b.id = u.assembly WHERE u.assembly IS NOT NULL AND b.id IS NULL UNION ALL
      SELECT p.md5 FROM parts p LEFT JOIN blobs b ON b.id = p.blob WHERE p.blob IS NOT NULL AND b.id IS NULL`,
  "parts of uploads that are over": `SELECT p.upload FROM parts p LEFT JOIN uploads u ON u.id = p.upload
      WHERE u.id IS NULL OR u.completed_at IS NOT NULL`,
  "parts in an assembly that is none": `SELECT u.upload_id FROM uploads u JOIN parts p ON p.upload = u.id
      WHERE p.blob IS NULL AND u.assembly IS NULL`,
  "completed uploads with bytes, or without what they came to": `SELECT upload_id FROM uploads
      WHERE (completed_at IS NULL) <> (completed IS NULL) OR (completed IS NOT NULL AND assembly IS NOT NULL)`,
  "objects of parts whose bytes have no facts": `SELECT o.key FROM objects o JOIN blobs b ON b.id = o.blob
      WHERE o.parts IS NOT NULL AND b.block_crc32c = x''`,
  "delete markers with bytes": "SELECT key FROM objects WHERE is_delete_marker = 1 AND (blob IS NOT NULL OR size <> 0)",
  "keys whose newest version alone is not the latest": `SELECT o.key FROM objects o WHERE is_latest <> (
      o.version_seq = (SELECT max(n.version_seq) FROM objects n WHERE n.bucket = o.bucket AND n.key = o.key))`,
  "version ids that lead elsewhere": `SELECT key, version_id FROM objects
      WHERE version_id NOT IN ('null', printf('%016x', version_seq))`,
  "versions called null twice": `SELECT bucket, key FROM objects WHERE version_id = 'null' GROUP BY bucket, key HAVING count(*) > 1`,
  "versions in buckets that never had any": `SELECT o.key FROM objects o JOIN buckets k ON k.id = o.bucket
      WHERE k.versioning = 0 AND (o.is_latest = 0 OR o.is_delete_marker = 1 OR o.version_id <> 'null')`,
  "configurations of no bucket": "SELECT bucket FROM bucket_configs WHERE bucket NOT IN (SELECT id FROM buckets)",
  "garbage that is named": "SELECT g.blob_id FROM garbage g JOIN blobs b ON b.blob_id = g.blob_id",
  "flags of jobs":
    "SELECT id FROM jobs WHERE open <> (state < 3) OR (wait IS NULL) <> (state <> 0) OR (open = 0) <> (ended_at IS NOT NULL)",
  "order of keys": `SELECT j.id FROM jobs j WHERE j.open = 1 AND j.input_key IS NOT NULL AND (j.wait IS 1) <> EXISTS (
      SELECT 1 FROM jobs e WHERE e.open = 1 AND e.service = j.service AND e.input_bucket = j.input_bucket AND e.input_key = j.input_key
      AND e.seq < j.seq)`,
  "attempts of running jobs": `SELECT j.id FROM jobs j WHERE state = 1 AND NOT EXISTS (
      SELECT 1 FROM attempts a WHERE a.job = j.seq AND a.number = j.attempt AND a.state < 3)`,
  "open attempts": `SELECT j.id FROM attempts a JOIN jobs j ON j.seq = a.job WHERE a.state < 3 AND (a.number <> j.attempt OR j.state NOT IN (1, 5))`,
  "tokens of ended attempts": "SELECT id FROM attempts WHERE state >= 2 AND token_hash IS NOT NULL",
  "gaps in the change log":
    "SELECT count(*) FROM changes HAVING count(*) <> max(seq) OR max(seq) <> (SELECT change_seq FROM sequences)",
  "versions made twice":
    "SELECT key FROM changes WHERE kind = 'object.created' GROUP BY key, sequencer HAVING count(*) > 1",
  "jobs that ended twice": `SELECT key FROM changes WHERE kind IN ('job.succeeded', 'job.failed', 'job.cancelled') GROUP BY key HAVING count(*) > 1`,
  "jobs whose end is not logged": `SELECT j.id FROM jobs j WHERE j.open = 0 AND NOT EXISTS (
      SELECT 1 FROM changes c WHERE c.key = j.id AND c.kind = 'job.' || (CASE j.state WHEN 3 THEN 'succeeded' WHEN 4 THEN 'failed' ELSE 'cancelled' END))`,
  "objects whose birth is not logged": `SELECT key FROM objects o WHERE NOT EXISTS (
      SELECT 1 FROM changes c WHERE c.sequencer = o.version_seq
        AND c.kind = CASE o.is_delete_marker WHEN 1 THEN 'object.removed' ELSE 'object.created' END)`,
  "revisions that nobody names": `SELECT r.id FROM revisions r LEFT JOIN services s ON s.revision = r.id WHERE s.name IS NULL AND r.last_job IS NULL`,
  "jobs without their revision":
    "SELECT j.id FROM jobs j LEFT JOIN revisions r ON r.id = j.revision WHERE r.id IS NULL",
};

/** What came to pass in any of the runs: ids are random too, and one run alone may miss some of it. */
const kinds = new Set<string>();
afterAll(() => {
  for (const kind of ["job.succeeded", "job.failed", "job.retrying", "attempt.fenced", "object.tagged"])
    expect([...kinds]).toContain(kind);
});

const SEEDS = Array.from({ length: 4 }, (_, n) => 1000 + n);
it.each(SEEDS)("random calls leave nothing that contradicts itself (seed %i)", (seed) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-random-"));
  const store = openStore(join(folder, "state.db"));
  try {
    const calls = new RandomCalls(store, new Dice(seed));
    for (let group = 0; group < 50; group++) {
      calls.groupOfMany();
      for (const [what, sql] of Object.entries(CONTRADICTIONS)) {
        expect({ what, group, rows: store.db.all(sql) }).toEqual({ what, group, rows: [] });
      }
    }
    expect([...calls.codes]).not.toContain("INTERNAL");
    expect(calls.codes.size).toBeGreaterThan(3);
    for (const { kind } of store.db.all<{ kind: string }>("SELECT DISTINCT kind FROM changes")) kinds.add(kind);
    expect(store.db.all("SELECT seq FROM changes WHERE kind = 'object.created' AND data LIKE '%\"e-1\"%'")).not.toEqual(
      [],
    );
  } finally {
    store.db.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
