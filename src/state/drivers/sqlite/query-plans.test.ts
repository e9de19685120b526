import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { LeasedJob } from "../../state.ts";
import { ADA, ADMIN, blob, output, result, service } from "../../testing/state-bench.ts";
import type { CallName } from "./calls.ts";
import { type CommittedRow, uploadRow } from "./crossing-upload.ts";
import { Database } from "./database.ts";
import { GroupCommit } from "./group-commit.ts";
import { handle } from "./handlers.ts";
import { openStore, type Store } from "./store.ts";

/** No statement walks a table that grows with jobs or objects: the time of a call must not grow with what is stored. */

const seen = new Set<string>();
let folder = "";
let store: Store;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-plans-"));
  for (const name of ["run", "get", "all", "iterate"] as const) {
    const original: (...args: never[]) => unknown = Database.prototype[name];
    vi.spyOn(Database.prototype, name).mockImplementation(function (this: Database, ...args: unknown[]) {
      seen.add(String(args[0]));
      return original.apply(this, args as never[]) as never;
    });
  }
  store = openStore(join(folder, "state.db"));
  everything();
  vi.restoreAllMocks();
});
afterAll(() => {
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: CallName, ...args: unknown[]): unknown {
  const calls = [[1, name, args] as const];
  const [answer] = new GroupCommit(store, null).run((room) => calls.splice(0, room)).answers;
  if (!answer?.[1]) throw new Error(answer?.[2].message);
  return answer[2];
}

const read = (name: CallName, ...args: unknown[]): unknown => handle(store, name, args);

function put(bucket: string, key: string): string {
  const facts = { contentType: "", metadata: {}, headers: {}, checksums: {}, condition: null, lineage: null, at: 1 };
  const done = write("commitUpload", ...uploadRow({ by: ADMIN, bucket, key, blob: blob(key), ...facts }));
  return (done as CommittedRow)[3][0] ?? "";
}

function lease(jobId: string) {
  const request = { jobId, worker: "w", grants: { resources: {}, devices: [] } };
  const [leased] = write("leaseJobs", [request], Date.now()) as LeasedJob[];
  if (leased === undefined) throw new Error(`job ${jobId} cannot be leased`);
  return leased.lease;
}

/** Every call at least once, through its unusual branches too. */
function everything(): void {
  const retries = { maxAttempts: 2, backoffMs: 60_000 };
  write("applyServices", ADMIN, [service("a", "inbox", "mid", { retries }), service("b", "mid", "out")], "apply");
  const jobs = [put("inbox", "1"), put("inbox", "1"), put("inbox", "2"), put("inbox", "3")];
  const [first = "", second = "", third = "", fourth = ""] = jobs;
  publishMany(first);
  write("finishAttempt", lease(second), result("exit"), [output("out/x")], null, Date.now());
  write("finishAttempt", lease(third), result("ok"), [output("out/y")], null, Date.now());
  lease(fourth);
  write("recoverAttempts", "w", Date.now());
  readEverything(first);
  write("retryJob", ADMIN, third, 3);
  write("cancelJob", ADMIN, second, 1);
  write("deleteJob", ADMIN, first);
  write("applyServices", ADA, [service("of-ada", "inbox")], "apply");
  write("applyServices", ADMIN, [service("a", "inbox", "mid", { script: "new\n" })], "apply");
  write("deleteObjects", ADMIN, "mid", [{ key: "2" }], 1);
  writeVersions();
  writeUploads();
  write("removeService", ADMIN, "a", true);
  write("createBucket", ADMIN, "empty");
  write("deleteBucket", ADMIN, "empty");
  write("expireJobs", Date.now() + 1000, 10);
  write("expireChanges", Date.now() + 1000, 1);
  write("noteImage", { kind: "image.pulled", owner: "admin", key: "a", sequencer: 1, data: {} }, 1);
  write("forgetBlobs", ["x"]);
  checkStore();
}

/** Without a recount, which is for what an audit found wrong and reads everything. */
function checkStore(): void {
  read("blobPage", 1, 10);
  write("replaceInline", 1, new Uint8Array(1));
  write("noteDamage", 0, 9, [{ row: 1, damage: "bytes" }], 1);
  read("damagedBlobs", 10);
  read("damagedCount");
  write("saveScrub", { after: 1, startedAt: 1, endedAt: null });
  read("scrubProgress");
}

/** In a bucket that goes with the service. */
function writeVersions(): void {
  put("inbox", "v");
  for (const versioning of ["enabled", "suspended"]) {
    write("setVersioning", ADMIN, "inbox", versioning);
    for (const target of [{ key: "v" }, { key: "v", versionId: "null" }, { key: "v", versionId: "0".repeat(16) }]) {
      put("inbox", "v");
      write("deleteObjects", ADMIN, "inbox", [target], 1);
    }
  }
  put("inbox", "v");
  const source = read("object", "inbox", "v");
  const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
  write("copyObject", { by: ADMIN, source, bucket: "inbox", key: "w", ...kept, at: 1 });
  write("setObjectTags", ADMIN, "inbox", "v", "null", { t: "1" });
  for (const body of ["<x/>", null]) write("setBucketConfig", ADMIN, "inbox", "cors", body);
  readVersions("inbox", "v");
}

/** One of them is open when its bucket goes with the service. */
function writeUploads(): void {
  const facts = { contentType: "", metadata: {}, headers: {}, tags: {}, checksum: null, lineage: null, at: 1 };
  const part = { number: 1, sizeBytes: 5, md5: "m", pieceCrc32c: new Uint8Array(4), checksums: {}, at: 1 };
  for (const uploadId of ["open", "completed", "aborted"]) {
    write("createUpload", { by: ADMIN, uploadId, bucket: "inbox", key: "u", ...facts });
    const place = { kind: "assembly", blobId: `assembly-${uploadId}`, partBytes: 5 };
    for (const number of [1, 3]) write("putPart", uploadId, { ...part, number, place });
    for (const _ of [1, 2]) write("putPart", uploadId, { ...part, number: 2, place: { kind: "own", blob: blob("p") } });
  }
  const bytes = { kind: "assembly", sizeBytes: 5, blockCrc32c: new Uint8Array(4) };
  const object = { by: ADMIN, bucket: "inbox", key: "u", uploadId: "completed", etag: "e-1", checksums: {}, at: 1 };
  write("completeUpload", { ...object, parts: [part], bytes, condition: null });
  write("abortUpload", "inbox", "u", "aborted");
  write("forgetCompletedUploads", 9, 10);
  readUploads("inbox", "u");
}

function readUploads(bucket: string, key: string): void {
  read("multipartUpload", bucket, key, "open");
  read("parts", "open", 0, 10);
  for (const [afterKey, afterUploadId] of [
    ["", null],
    [key, null],
    [key, "open"],
  ]) {
    read("listUploads", { bucket, prefix: "", delimiter: "/", afterKey, afterUploadId, limit: 10 });
  }
}

function readVersions(bucket: string, key: string): void {
  for (const versionId of [null, "null", "0".repeat(16)]) read("objectVersion", bucket, key, versionId);
  for (const [afterKey, afterVersionId] of [
    ["", null],
    [key, null],
    [key, "null"],
    [key, "f".repeat(14).padStart(16, "0")],
  ]) {
    read("listVersions", { bucket, prefix: "", delimiter: "/", afterKey, afterVersionId, limit: 10 });
  }
}

function publishMany(jobId: string): void {
  const held = lease(jobId);
  write("startAttempt", held, 1);
  write("stageOutputs", held, [output("mid/1"), output("mid/2")]);
  write("finishAttempt", held, result("ok"), [output("mid/3")], null, 2);
  readEverything(jobId);
  put("mid", "1");
  while (write("continueFanOut", 2));
}

function readEverything(jobId: string): void {
  for (const after of ["", "1"]) read("listObjects", { bucket: "mid", prefix: "", after, delimiter: "/", limit: 10 });
  for (const version of [undefined, 3]) read("object", "mid", "1", version);
  readVersions("mid", "1");
  read("bucketConfig", "mid", "cors");
  read("bucketsWithConfig", "cors");
  const queries = [
    {},
    { service: "a" },
    { states: ["QUEUED", "RUNNING", "FAILED"] },
    { runName: "x" },
    { owner: "ada" },
  ];
  for (const query of queries) read("jobs", { owner: null, limit: 10, since: Date.now(), ...query });
  for (const owner of [null, "ada", ADMIN.subject]) read("changes", 0, 10, owner);
  read("queues", null, 64, Date.now() + 1e9);
  for (const name of ["jobOutputs", "attempts", "jobEvent", "job", "attemptLog"] as const) read(name, jobId, 1);
  for (const name of ["changeBounds", "counts", "objectCount"] as const) read(name);
  for (const name of ["services", "buckets"] as const) for (const owner of [null, "ada"]) read(name, owner);
  read("tokenPrincipal", "x");
  read("garbageBlobs", 10);
  read("unknownBlobs", ["x"]);
}

const planOf = (sql: string): string[] =>
  store.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail);
const statements = () => [...seen].filter((sql) => /^(SELECT|INSERT|UPDATE|DELETE)/.test(sql));

it("no statement scans jobs, attempts, objects, blobs, staged outputs or publications", () => {
  expect(statements().length).toBeGreaterThan(80);
  const growing = statements().filter((sql) => !sql.includes("FROM services s"));
  const scans = growing.filter((sql) =>
    planOf(sql).some((step) =>
      /SCAN (jobs|attempts|objects|blobs|staged|publications|uploads|parts|bucket_configs|[abjopsuc])\b/.test(step),
    ),
  );
  expect(scans).toEqual([]);
});

it("pages of blobs are a range of rows, and what is damaged leads to its blobs", () => {
  const pages = statements().filter((sql) => /FROM blobs WHERE id > \? ORDER BY id/.test(sql));
  expect(pages.map(planOf)).toEqual([["SEARCH blobs USING INTEGER PRIMARY KEY (rowid>?)"]]);
  const damaged = statements().filter((sql) => /FROM damaged_blobs f/.test(sql));
  expect(damaged.map(planOf)).toEqual([
    ["SCAN f", "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"],
    ["SCAN f", "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"],
  ]);
});

it("the heads of a queue come in their order from the index, without the blocked ones", () => {
  const heads = statements().filter(
    (sql) => sql.includes("INDEXED BY jobs_open") && sql.includes("input_bytes FROM jobs"),
  );
  expect(heads.map(planOf)).toEqual([["SEARCH jobs USING INDEX jobs_open (service=? AND wait=?)"]]);
});

it("listings of versions merge two indexes that are in their order", () => {
  const listings = statements().filter((sql) => sql.endsWith("ORDER BY key, version_seq DESC") && !/staged/.test(sql));
  const merge = (range: string) => [
    "MERGE (UNION ALL)",
    "LEFT",
    `SEARCH o USING INDEX objects_latest (bucket=? AND ${range.replace("version_seq", "rowid")})`,
    "RIGHT",
    `SEARCH o USING INDEX objects_older (bucket=? AND ${range})`,
  ];
  const keys = merge("key>? AND key<?");
  expect(listings.map(planOf).toSorted()).toEqual([merge("key=? AND version_seq<?"), keys, keys]);
});

it("a version is found by its key and its number", () => {
  const finds = statements().filter((sql) => /FROM objects/.test(sql) && /version_seq = \?/.test(sql));
  expect(finds.length).toBeGreaterThan(3);
  for (const sql of finds) expect(planOf(sql)[0]).toMatch(/^SEARCH \w+ USING INTEGER PRIMARY KEY/);
});

it("listings of uploads come in order from the index of open ones", () => {
  const listings = statements().filter((sql) => sql.endsWith("ORDER BY u.key, u.id"));
  const inOrder = (range: string) => [
    `SEARCH u USING INDEX uploads_key (bucket=? AND ${range})`,
    "SEARCH b USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
  ];
  const keys = inOrder("key>? AND key<?");
  expect(listings.map(planOf).toSorted()).toEqual([inOrder("key=? AND id>?"), keys, keys]);
});

it("parts are those of one upload, in order", () => {
  const walks = statements().filter((sql) => /\b(FROM|UPDATE) parts\b/.test(sql));
  expect(walks.length).toBeGreaterThan(6);
  for (const sql of walks) {
    const steps = planOf(sql);
    expect(steps.join("\n")).toMatch(/SEARCH (parts|p) USING PRIMARY KEY \(upload=\?/);
    expect(steps.filter((step) => step.includes("FOR ORDER BY") && !sql.includes("ORDER BY blob_id"))).toEqual([]);
  }
});

it("listings of jobs read a range of an index for each state", () => {
  const listings = statements().filter((sql) =>
    /^SELECT seq\b.*INDEXED BY jobs_(open|terminal)\b.*ORDER BY seq DESC/s.test(sql),
  );
  expect(listings.map(planOf).toSorted()).toEqual([
    ["SEARCH jobs USING INDEX jobs_open (service=? AND wait=? AND priority=? AND seq>? AND seq<?)"],
    ["SEARCH jobs USING INDEX jobs_terminal (service=? AND state=? AND seq>? AND seq<?)"],
  ]);
});
