import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { MockBehaviour } from "../backend/drivers/mock.ts";
import { openBackend } from "../backend/open.ts";
import { newEventId } from "../core/ids.ts";
import { NO_USAGE } from "../core/job.ts";
import { SYSTEM_PRINCIPAL } from "../core/principal.ts";
import type { Service } from "../core/service.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog } from "../lib/log.ts";
import { openPolicy } from "../scheduler/open.ts";
import { openState } from "../state/open.ts";
import type { LeasedJob, State } from "../state/state.ts";
import type { Dispatcher } from "./dispatch.ts";
import { createDispatcher } from "./dispatcher.ts";
import { serviceSpec } from "./testing/queue-state.ts";

const ENDLESS: MockBehaviour = { runMs: 1e6 };

/** The dispatcher on the real state, with attempts that are told what to do. */
describe("dispatcher on the real state", () => {
  let dir: string;
  let state: State;
  let lines: string[];
  let peak: number;
  const dispatchers: Dispatcher[] = [];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "sluice-dispatch-"));
    [lines, peak] = [[], 0];
    state = await openState({ driver: "sqlite", file: join(dir, "state.db") });
  });
  afterEach(async () => {
    await Promise.all(dispatchers.splice(0).map((dispatcher) => dispatcher.drain(0)));
    await state.close();
    rmSync(dir, { recursive: true });
  });

  const apply = (name: string, over: Partial<Service> = {}) =>
    state.applyServices(SYSTEM_PRINCIPAL, [serviceSpec(name, { cpu: 500 }, over)], "apply");

  async function enqueue(service: string, count: number): Promise<string[]> {
    const calls = Array.from({ length: count }, () => {
      const id = newEventId();
      const call = {
        source: "http" as const,
        time: Date.now(),
        object: null,
        parentJobId: null,
        hops: 0,
        payload: "{}",
      };
      const event = { id, rootId: id, ...call };
      return state.enqueue({ by: SYSTEM_PRINCIPAL, service, event, body: null, runName: null, priority: 0 });
    });
    return (await Promise.all(calls)).map((job) => job.id);
  }

  async function start(behave: (leased: LeasedJob) => MockBehaviour): Promise<Dispatcher> {
    const worker = { capacity: { cpu: 2000 }, slots: 4 };
    const backend = await openBackend({ driver: "mock", name: "mock", worker, state, clock: systemClock, behave });
    const log = createLog("info", (line) => void lines.push(line));
    const dispatcher = createDispatcher({
      state,
      policy: openPolicy("fifo"),
      backends: [
        {
          ...backend,
          start(leased, ended) {
            peak = Math.max(peak, backend.running().length + 1);
            backend.start(leased, ended);
          },
        },
      ],
      clock: systemClock,
      log,
    });
    dispatchers.push(dispatcher);
    await dispatcher.start();
    return dispatcher;
  }

  /** Attempts and cpu of each worker; nothing is said of what was never reserved. */
  const taken = (dispatcher: Dispatcher) =>
    dispatcher.view().workers.map(({ attempts, reserved }) => [attempts, reserved.cpu ?? 0]);

  const settled = async (count: number): Promise<Record<string, number>> => {
    let totals: Record<string, number> = {};
    await vi.waitFor(
      async () => {
        const rows = await state.counts();
        totals = {};
        for (const { counts } of rows) {
          for (const [name, each] of Object.entries(counts)) if (each > 0) totals[name] = (totals[name] ?? 0) + each;
        }
        const open = (totals.QUEUED ?? 0) + (totals.RUNNING ?? 0);
        expect([open, Object.values(totals).reduce((sum, each) => sum + each, 0)]).toEqual([0, count]);
      },
      { timeout: 15_000, interval: 20 },
    );
    return totals;
  };

  it("runs every job once, within the slots, whether it came before the start or during the work", async () => {
    await apply("a");
    await apply("b", { concurrency: 1 });
    const early = await enqueue("a", 60);
    const dispatcher = await start(({ job }) => ({ outcome: job.service === "b" ? "exit" : "ok" }));
    await Promise.all([enqueue("a", 60), enqueue("b", 20)]);
    expect(await settled(140)).toEqual({ SUCCEEDED: 120, FAILED: 20 });
    for (const id of early.slice(0, 5)) expect(await state.attempts(id)).toHaveLength(1);
    expect(peak).toBeLessThanOrEqual(4);
    await expect.poll(() => taken(dispatcher)).toEqual([[0, 0]]);
    expect(lines).toEqual([]);
  });

  it("tries again after a failure, when its backoff is over", async () => {
    await apply("a", { retries: { maxAttempts: 3, backoffMs: 1 } });
    await start(({ lease }) => ({ outcome: lease.attempt < 3 ? "exit" : "ok" }));
    const [id = ""] = await enqueue("a", 1);
    expect(await settled(1)).toEqual({ SUCCEEDED: 1 });
    expect((await state.attempts(id)).map(({ outcome }) => outcome).toSorted()).toEqual(["exit", "exit", "ok"]);
  });

  it("cancels jobs at every moment of their life without losing a slot", async () => {
    await apply("a");
    const dispatcher = await start(() => ({ runMs: 2 }));
    const ids = await enqueue("a", 80);
    let cancelled = 0;
    await Promise.all(
      ids.map(async (id, at) => {
        await new Promise((resolve) => setTimeout(resolve, at % 40));
        const done = await state.cancelJob(SYSTEM_PRINCIPAL, id, Date.now()).catch(() => null);
        if (done) cancelled += 1;
        if (done?.running) await dispatcher.stopAttempt(done.running);
      }),
    );
    expect(await settled(80)).toMatchObject({ CANCELLED: cancelled });
    await expect.poll(() => taken(dispatcher)).toEqual([[0, 0]]);
    const rows = await state.queues(null, 1, Date.now());
    expect(rows.filter(({ active }) => active > 0)).toEqual([]);
  });

  it("queues what a drain stopped again, uncounted, and the next dispatcher finishes it", async () => {
    await apply("a");
    const first = await start(() => ENDLESS);
    const ids = await enqueue("a", 6);
    await expect.poll(() => first.view().workers).toMatchObject([{ attempts: 4 }]);
    await first.drain(0);
    const stopped = await Promise.all(ids.map((id) => state.job(id)));
    expect(stopped.map((job) => [job?.state, job?.counts.uncleanStops])).toEqual(Array(6).fill(["QUEUED", 0]));
    await start(() => ({}));
    expect(await settled(6)).toEqual({ SUCCEEDED: 6 });
  });

  it("ends what a process that died left open, and runs it again", async () => {
    await apply("a");
    const [id = ""] = await enqueue("a", 1);
    const request = { jobId: id, worker: "mock", grants: { resources: { cpu: 500 }, devices: [] } };
    await state.leaseJobs([request], Date.now());
    await start(() => ({}));
    expect(await settled(1)).toEqual({ SUCCEEDED: 1 });
    const lease = { jobId: id, attempt: 1, worker: "mock" };
    const ok = { outcome: "ok", message: "", exitCode: 0, signal: null, usage: NO_USAGE } as const;
    const late = state.finishAttempt(lease, ok, [], null, Date.now());
    await expect(late).rejects.toMatchObject({ code: "LEASE_STALE" });
    expect((await state.job(id))?.counts.uncleanStops).toBe(1);
  });
});
