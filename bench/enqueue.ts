import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import { ADMIN_SUBJECT, type Principal } from "../src/core/principal.ts";
import type { Service } from "../src/core/service.ts";
import { openState } from "../src/state/open.ts";
import type { NewJob, State } from "../src/state/state.ts";
import type { Bench, BenchResult } from "./bench.ts";

const WRITERS = 64;
const EVENT_BYTES = 700;
/** Made once: the making of events is not what is measured. */
const PAYLOAD = JSON.stringify({ data: "x".repeat(EVENT_BYTES) }).slice(0, EVENT_BYTES);
const MEASURED_MS = 5000;
const WARM_UP_MS = 1000;
const TARGET_PER_S = 40_000;
const TARGET_DELAY_MS = 10;

const BY: Principal = { issuer: "local", subject: ADMIN_SUBJECT, groups: [], scopes: ["admin"], via: "internal" };

const SERVICE: Service = {
  name: "hash",
  image: "host",
  imageDigest: null,
  imagePullSecrets: [],
  imagePrefetch: false,
  minInstances: 0,
  reuse: false,
  script: "sha256sum\n",
  resources: { cpu: 200, memory: 64 * 2 ** 20, disk: 2 ** 30 },
  cpuLimit: false,
  timeoutMs: null,
  retries: { maxAttempts: 1, backoffMs: 1000 },
  concurrency: null,
  network: "none",
  inputs: [],
  outputs: [],
  onConflict: "overwrite",
  allowLoops: false,
  skipStageIn: false,
  variables: {},
  secrets: {},
  logLevel: "INFO",
  visibility: "private",
  allowedUsers: [],
  definition: {},
};

/** Jobs a second, each durable before its writer goes on, with 64 writers that wait for their own. The floor is one connection that commits
 *  the same rows in groups of 64 on the main thread, without threads, savepoints or answers. */
export const enqueue: Bench = { name: "enqueue", unit: "jobs/s", run };

async function run(): Promise<BenchResult> {
  const folder = mkdtempSync(join(process.cwd(), ".bench-enqueue-"));
  try {
    const state = await openState({ driver: "sqlite", file: join(folder, "state.db") });
    await state.applyServices(BY, [SERVICE], "apply");
    await writeFor(state, WARM_UP_MS);
    const measured = await measure(state);
    await state.close();
    const floor = plainCommits(join(folder, "floor.db"), MEASURED_MS / 2);
    return result(measured, floor);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Measured = Awaited<ReturnType<typeof measure>>;

async function measure(state: State) {
  const before = await state.stats();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const { jobs, seconds } = await writeFor(state, MEASURED_MS);
  delay.disable();
  const after = await state.stats();
  return {
    perSecond: jobs / seconds,
    delayP99Ms: delay.percentile(99) / 1e6,
    delayMaxMs: delay.max / 1e6,
    fsyncs: after.fsyncs - before.fsyncs,
    group: jobs / (after.commits - before.commits),
    largestGroup: after.largestGroup,
  };
}

async function writeFor(state: State, durationMs: number): Promise<{ jobs: number; seconds: number }> {
  const start = performance.now();
  const end = start + durationMs;
  let jobs = 0;
  const writer = async (): Promise<void> => {
    while (performance.now() < end) {
      await state.enqueue(newJob(jobs));
      jobs += 1;
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  return { jobs, seconds: (performance.now() - start) / 1000 };
}

function newJob(n: number): NewJob {
  const id = `event-${n}`;
  const event = { id, source: "http", time: Date.now(), object: null, rootId: id, parentJobId: null, hops: 0 } as const;
  return {
    by: BY,
    service: SERVICE.name,
    event: { ...event, payload: PAYLOAD },
    body: null,
    runName: null,
    priority: 0,
  };
}

/** What group commit could reach at best: the same number of bytes, a job and a change, committed in groups of 64. */
function plainCommits(file: string, durationMs: number): number {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
    CREATE TABLE jobs (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, service TEXT, created_at INTEGER, payload TEXT);
    CREATE TABLE changes (seq INTEGER PRIMARY KEY, at INTEGER, kind TEXT, key TEXT, data TEXT)`);
  const job = db.prepare("INSERT INTO jobs (id, service, created_at, payload) VALUES (?, ?, ?, ?)");
  const change = db.prepare("INSERT INTO changes (at, kind, key, data) VALUES (?, 'job.queued', ?, ?)");
  const start = performance.now();
  let rows = 0;
  while (performance.now() < start + durationMs) {
    db.exec("BEGIN IMMEDIATE");
    for (let member = 0; member < WRITERS; member += 1) {
      const { event, service } = newJob(rows);
      const id = `${service}-${randomUUIDv7()}`;
      job.run(id, service, event.time, event.payload);
      change.run(event.time, id, JSON.stringify({ service, state: "QUEUED", attempt: 0 }));
      rows += 1;
    }
    db.exec("COMMIT");
  }
  const seconds = (performance.now() - start) / 1000;
  db.close();
  return rows / seconds;
}

function result(measured: Measured, floor: number): BenchResult {
  const { perSecond, delayP99Ms, delayMaxMs, fsyncs, group, largestGroup } = measured;
  return {
    value: perSecond,
    floor,
    ratio: perSecond / floor,
    target: `≥ ${TARGET_PER_S} jobs/s, event-loop delay p99 ≤ ${TARGET_DELAY_MS} ms`,
    ok: perSecond >= TARGET_PER_S && delayP99Ms <= TARGET_DELAY_MS,
    notes: [
      `${WRITERS} writers, ${EVENT_BYTES}-byte events: ${fsyncs} fsyncs, groups of ${group.toFixed(1)} (largest ${largestGroup})`,
      `event-loop delay: p99 ${delayP99Ms.toFixed(1)} ms, longest ${delayMaxMs.toFixed(1)} ms`,
      "floor: plain node:sqlite on the main thread, the same rows in groups of 64, no index but the job's id",
    ],
  };
}
