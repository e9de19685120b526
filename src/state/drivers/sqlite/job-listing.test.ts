import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { jobs } from "./job-listing.ts";
import { JOB_STATES } from "./job-rows.ts";
import { oldestOpen, openGroups, QUEUED_WAITS } from "./open-jobs.ts";
import { openStore, type Store } from "./store.ts";

let folder = "";
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-jobs-"));
  store = openStore(join(folder, "state.db"));
});
afterEach(() => {
  store.db.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Row {
  readonly seq: number;
  readonly service: string;
  readonly owner: string;
  readonly state: number;
  readonly wait: number | null;
  readonly priority: number;
  readonly createdAt: number;
  readonly runName: string | null;
}

/** Rows of every state, way of waiting and priority, mixed so that neighbours differ. */
function insertMany(count: number): Row[] {
  const rows = Array.from({ length: count }, (_, n): Row => {
    const state = n % JOB_STATES.length;
    return {
      seq: n + 1,
      service: n % 5 < 3 ? "a" : "b",
      owner: n % 4 === 0 ? "ben" : "ada",
      state,
      wait: state === 0 ? (n >> 1) % 3 : null,
      priority: (n % 7) - 3,
      createdAt: HOUR_MS * (n + 2),
      runName: n % 3 === 0 ? "nightly" : null,
    };
  });
  const columns =
    "seq, id, service, revision, owner, state, wait, open, priority, created_at, not_before, ended_at, run_name, input_bytes, event_id, root_event_id, hops, event_source, event_time, payload";
  store.db.exec("BEGIN");
  for (const row of rows) {
    const open = row.state < 3 ? 1 : 0;
    store.db.run(
      `INSERT INTO jobs (${columns}) VALUES (?, ?, ?, 'r', ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, 'e', 'e', 0, 'http', 0, '')`,
      ...[row.seq, `job-${row.seq}`, row.service, row.owner, row.state, row.wait, open, row.priority, row.createdAt],
      ...[open === 1 ? null : 1, row.runName],
    );
    store.tally.openCounts(row.service, row.owner);
  }
  store.tally.flush();
  store.db.exec("COMMIT");
  return rows;
}

const HOUR_MS = 3_600_000;

describe("a listing of jobs", () => {
  it("equals a plain filter, whatever the filter, page by page", () => {
    const rows = insertMany(300);
    const services = [undefined, "a", "b", "none"];
    const states = [
      undefined,
      ["QUEUED"],
      ["RUNNING", "DELIVERING"],
      ["FAILED", "QUEUED", "CANCELLED"],
      JOB_STATES,
    ] as const;
    for (const service of services) {
      for (const wanted of states) {
        for (const more of [{}, { owner: "ben" }, { runName: "nightly" }, { since: HOUR_MS * 150 + 1 }]) {
          const query = { owner: null, ...more, ...(service && { service }), ...(wanted && { states: wanted }) };
          const expected = rows
            .filter((row) => service === undefined || row.service === service)
            .filter((row) => wanted === undefined || wanted.some((state) => JOB_STATES[row.state] === state))
            .filter((row) => query.owner === null || row.owner === query.owner)
            .filter((row) => !("runName" in more) || row.runName === more.runName)
            .filter((row) => !("since" in more) || row.createdAt >= (more.since ?? 0))
            .map((row) => `job-${row.seq}`)
            .reverse();
          expect(allPages(query), JSON.stringify(query)).toEqual(expected);
        }
      }
    }
  });

  function allPages(query: Omit<Parameters<typeof jobs>[1], "limit">): string[] {
    const ids: string[] = [];
    for (let next: string | null | undefined; next !== null; ) {
      const page = jobs(store, { ...query, limit: 37, ...(next !== undefined && { after: next }) });
      ids.push(...page.jobs.map(({ id }) => id));
      next = page.next;
    }
    return ids;
  }

  it("finds by time although the clock was set back by less than an hour", () => {
    insertMany(6);
    store.db.run("UPDATE jobs SET created_at = ? WHERE seq = 4", HOUR_MS * 4.5);
    const since = (at: number) => jobs(store, { owner: null, since: at, limit: 10 }).jobs.map(({ id }) => id);
    expect(since(HOUR_MS * 4.5)).toEqual(["job-6", "job-5", "job-4"]);
    expect(since(HOUR_MS * 5)).toEqual(["job-6", "job-5"]);
  });

  it.each(["x", "-1", "1.5", "", "1e3", "9".repeat(16)])("refuses %j as a cursor", (after) => {
    expect(() => jobs(store, { owner: null, limit: 1, after })).toThrow(
      expect.objectContaining({ code: "REQUEST_INVALID" }),
    );
  });
});

describe("open jobs", () => {
  it("fall into groups, of which the oldest job is found", () => {
    const open = insertMany(100).filter((row) => row.state < 3 && row.service === "b");
    const groups = openGroups(store, "b", [null, ...QUEUED_WAITS]);
    const key = ({ wait, priority }: { wait: number | null; priority: number }) => `${wait} ${priority}`;
    expect(groups.map(key).toSorted()).toEqual([...new Set(open.map(key))].toSorted());
    expect(oldestOpen(store, "b")).toBe(open[0]?.seq);
    expect(oldestOpen(store, "none")).toBeNull();
  });
});
