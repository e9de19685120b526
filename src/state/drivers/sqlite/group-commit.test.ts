import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Principal } from "../../../core/principal.ts";
import { ADA, ADMIN, BEN, blob, result, service } from "../../testing/state-bench.ts";
import type { Answer, Call, CallName } from "./calls.ts";
import { type BornRow, bornOf, orderRow } from "./crossing-job.ts";
import { type CommittedRow, uploadRow } from "./crossing-upload.ts";
import { GroupCommit } from "./group-commit.ts";
import { openStore, type Store } from "./store.ts";

let folder = "";
let store: Store;
let groups: GroupCommit;
let reserve = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-group-"));
  reserve = join(folder, "reserve");
  writeFileSync(reserve, "");
  store = openStore(join(folder, "state.db"));
  groups = new GroupCommit(store, reserve);
});
afterEach(() => {
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

let lastId = 0;
const call = (name: CallName, ...args: unknown[]): Call => {
  lastId += 1;
  return [lastId, name, args];
};
const bucket = (name: string, by: Principal = ADMIN): Call => call("createBucket", by, name);
const upload = (bucketName: string, key: string): Call =>
  call(
    "commitUpload",
    ...uploadRow({
      by: ADMIN,
      bucket: bucketName,
      key,
      blob: blob(key),
      contentType: "",
      metadata: {},
      headers: {},
      checksums: {},
      condition: null,
      lineage: null,
      at: Date.now(),
    }),
  );

const keyOf = (answer: unknown): unknown =>
  store.db.get<{ key: string }>("SELECT key FROM objects WHERE version_seq = ?", (answer as CommittedRow)[0])?.key;

const removal = (keys: readonly string[]): Call =>
  call(
    "deleteObjects",
    ADMIN,
    "box",
    keys.map((key) => ({ key })),
    Date.now(),
  );
const gone = (key: string) => ({ key, versionId: null, existed: true, deleteMarker: null, refused: false });

/** Runs calls as one group (a full disk ends it early: then more follow) and answers in their order: the value, or the error's code. */
function run(...calls: Call[]): unknown[] {
  const waiting = [...calls];
  const answers: Answer[] = [];
  while (waiting.length > 0) answers.push(...groups.run((room) => waiting.splice(0, room)).answers);
  const byId = new Map(answers.map((answer: Answer) => [answer[0], answer[1] ? answer[2] : answer[2].code]));
  return calls.map((each) => byId.get(each[0]));
}

const names = (): string[] =>
  store.db.all<{ name: string }>("SELECT name FROM buckets ORDER BY id").map((row) => row.name);
const sequence = () => store.db.get<{ change_seq: number }>("SELECT change_seq FROM sequences")?.change_seq;
const changes = () => store.db.get<{ n: number; last: number }>("SELECT count(*) n, max(seq) last FROM changes");

describe("a call that fails", () => {
  it("takes back what it wrote, and nothing else of its group", () => {
    run(call("applyServices", BEN, [service("taken")], "apply"));
    const before = changes();
    // The first service and its bucket are written when the second is refused.
    const half = call("applyServices", ADA, [service("fresh", "fresh-in"), service("taken")], "apply");
    const answers = run(bucket("first"), half, bucket("last"), call("applyServices", ADA, [service("after")], "apply"));
    expect(answers).toMatchObject([{ name: "first" }, "FORBIDDEN", { name: "last" }, [{ result: "created" }]]);
    expect(names()).toEqual(["first", "last"]);
    expect(store.services.get("fresh")).toBeUndefined();
    expect(store.services.get("after")?.owner).toBe("ada");
    expect(changes()).toEqual({ n: (before?.n ?? 0) + 3, last: (before?.last ?? 0) + 3 });
    expect(sequence()).toBe(changes()?.last);
  });

  it("fails alone at every place of a group", () => {
    run(bucket("box"));
    const calls = Array.from({ length: 100 }, (_, n) => upload(n % 7 === 3 ? "nowhere" : "box", `${n}`));
    const answers = run(...calls);
    answers.forEach((answer, n) => {
      if (n % 7 === 3) expect(answer).toBe("BUCKET_UNKNOWN");
      else expect(keyOf(answer)).toBe(`${n}`);
    });
  });

  it("because it was superseded leaves its record, in a group where another fails too", () => {
    run(call("applyServices", ADMIN, [service("a")], "apply"));
    const event = {
      id: "e",
      source: "http" as const,
      time: 0,
      object: null,
      rootId: "e",
      parentJobId: null,
      hops: 0,
      payload: "",
    };
    const [born] = run(call("enqueue", ...orderRow({ service: "a", event, body: null, runName: null, priority: 0 })));
    const { id: jobId } = bornOf(born as BornRow);
    const grants = { resources: {}, devices: [] };
    run(call("leaseJobs", [{ jobId, worker: "w", grants }], Date.now()));
    const stale = { jobId, attempt: 1, worker: "another" };
    const answers = run(
      call("finishAttempt", stale, result("ok"), [], null, 0),
      upload("nowhere", "x"),
      call("startAttempt", stale, 0),
    );
    expect(answers).toEqual(["LEASE_STALE", "BUCKET_UNKNOWN", "LEASE_STALE"]);
    expect(store.db.all("SELECT sequencer FROM changes WHERE kind = 'attempt.fenced'")).toHaveLength(2);
  });
});

describe("a group", () => {
  it("takes in what comes while it runs, up to a bound", () => {
    run(bucket("box"));
    const waiting = Array.from({ length: 700 }, (_, n) => upload("box", `${n}`));
    const sizes: number[] = [];
    while (waiting.length > 0) sizes.push(groups.run((room) => waiting.splice(0, Math.min(room, 10))).answers.length);
    expect(sizes).toEqual([256, 256, 188]);
    expect(groups.stats()).toMatchObject({ commits: 4, members: 701, largestGroup: 256 });
  });

  it("of nothing commits nothing", () => {
    expect(groups.run(() => [])).toEqual({ answers: [], notice: null });
    expect(groups.stats().commits).toBe(0);
  });

  it("that cannot be written answers everybody, and the next one goes on", () => {
    run(bucket("box"));
    const mark = changes();
    store.db.exec("PRAGMA query_only=1");
    expect(run(upload("box", "1"), bucket("other"))).toEqual(["INTERNAL", "INTERNAL"]);
    store.db.exec("PRAGMA query_only=0");
    expect(changes()).toEqual(mark);
    expect(run(upload("box", "1"))).toMatchObject([[1, "null", expect.any(String), []]]);
  });
});

describe("a full disk", () => {
  /** No page more than there are now. */
  const fill = () => {
    const pages = store.db.get<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
    store.db.get(`PRAGMA max_page_count=${pages}`);
  };
  const makeRoom = () => store.db.get("PRAGMA max_page_count=1000000");
  const large = (n: number) => upload("box", `${n}-${"x".repeat(900)}`);

  beforeEach(() => {
    run(bucket("box"), upload("box", "gone"));
  });

  it("refuses what stores users' data, does what frees space, and gives up the reserve for that", () => {
    fill();
    const many = Array.from({ length: 30 }, (_, n) => large(n));
    const answers = run(...many, removal(["gone"]));
    expect(answers).toEqual([...many.map(() => "DISK_FULL"), [gone("gone")]]);
    expect(existsSync(reserve)).toBe(false);
    expect(store.db.all("SELECT key FROM objects")).toEqual([]);
    makeRoom();
    expect(run(large(1))).toMatchObject([[2, "null", expect.any(String), []]]);
    expect(changes()?.n).toBe(sequence());
  });

  it("that has no room even for that refuses it too, and the next group goes on", () => {
    const keys = Array.from({ length: 200 }, (_, n) => `gone-${n}`);
    run(...keys.map((key) => upload("box", key)));
    fill();
    expect(run(removal(keys))).toEqual(["DISK_FULL"]);
    expect(store.db.all("SELECT key FROM objects")).toHaveLength(201);
    makeRoom();
    expect(run(removal(keys))).toEqual([keys.map(gone)]);
  });
});
