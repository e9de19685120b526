import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../core/errors.ts";
import type { Lease } from "../core/job.ts";
import { dispatchBench, pass } from "../dispatch/testing/dispatch-bench.ts";
import { HeldBackend } from "../dispatch/testing/held-backend.ts";
import { QueueState } from "../dispatch/testing/queue-state.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { createLeases } from "./leases.ts";

const TTL_MS = 60_000;
const stale = expect.objectContaining({ code: "LEASE_STALE" });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setup() {
  const state = new QueueState();
  const lost: Lease[] = [];
  const options = { state, clock: systemClock, log: silentLog, lost: (lease: Lease) => void lost.push(lease) };
  const leases = createLeases(options);
  async function lease(): Promise<Lease> {
    const [jobId = ""] = state.add("a", 1, { quiet: true });
    await state.leaseJobs([{ jobId, worker: "far", grants: { resources: {}, devices: [] } }], Date.now());
    return { jobId, attempt: state.rows.get(jobId)?.attempt ?? 0, worker: "far" };
  }
  return { state, lost, leases, lease };
}

describe("leases", () => {
  it("ends an attempt as lost when its time is over, and not before", async () => {
    const { state, lost, leases, lease } = setup();
    const one = await lease();
    leases.open(one, TTL_MS);
    await pass(TTL_MS - 1);
    expect(state.finished).toEqual([]);
    await pass(2);
    expect(state.finished).toMatchObject([{ lease: one, result: { outcome: "lost" } }]);
    expect([lost, leases.size, vi.getTimerCount()]).toEqual([[one], 0, 0]);
    expect(() => leases.extend(one)).toThrowError(stale);
  });

  it("lives on while it is extended, and tells the time to live", async () => {
    const { state, leases, lease } = setup();
    const one = await lease();
    leases.open(one, TTL_MS);
    for (let times = 0; times < 40; times += 1) {
      await pass(15_000);
      expect(leases.extend(one)).toBe(TTL_MS);
    }
    expect(state.finished).toEqual([]);
    await pass(TTL_MS + 1);
    expect(state.finished).toHaveLength(1);
  });

  it("keeps the deadlines of many leases apart", async () => {
    const { lost, leases, lease } = setup();
    const [long, short, closed] = [await lease(), await lease(), await lease()];
    leases.open(long, 5000);
    leases.open(short, 1000);
    leases.open(closed, 1000);
    leases.close(closed);
    await pass(1002);
    expect(lost).toEqual([short]);
    await pass(4000);
    expect(lost).toEqual([short, long]);
  });

  it("is not moved by a change of the time of day", async () => {
    const { lost, leases, lease } = setup();
    leases.open(await lease(), TTL_MS);
    vi.setSystemTime(Date.now() + 365 * 86_400_000);
    await pass(1000);
    expect(lost).toEqual([]);
  });

  it("refuses to extend what was closed, never opened, or is of another attempt", async () => {
    const { leases, lease } = setup();
    const one = await lease();
    expect(() => leases.extend(one)).toThrowError(stale);
    leases.open(one, TTL_MS);
    expect(() => leases.extend({ ...one, attempt: 2 })).toThrowError(stale);
    leases.close(one);
    expect(() => leases.extend(one)).toThrowError(stale);
  });

  it("does not extend a lease past its deadline, even before the timer has fired", async () => {
    const { leases, lease } = setup();
    const one = await lease();
    leases.open(one, TTL_MS);
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + TTL_MS);
    expect(() => leases.extend(one)).toThrowError(stale);
  });

  it("commits the loss in the end when the state cannot at first", async () => {
    const { state, lost, leases, lease } = setup();
    leases.open(await lease(), 1000);
    state.before = async (method) => {
      if (method === "finishAttempt") throw new SluiceError("DISK_FULL", "no room");
    };
    await pass(20_000);
    expect(lost).toEqual([]);
    state.before = async () => {};
    await pass(20_000);
    expect([lost.length, state.finished.length]).toEqual([1, 1]);
  });

  it("lets nothing expire after it was stopped", async () => {
    const { state, lost, leases, lease } = setup();
    leases.open(await lease(), 1000);
    leases.stop();
    leases.open(await lease(), 1000);
    await pass(10_000);
    expect([state.finished.length, lost.length, vi.getTimerCount()]).toEqual([0, 0, 0]);
  });
});

describe("fencing", () => {
  it("lets a finish that was committed before the expiry win", async () => {
    const { state, lost, leases, lease } = setup();
    const one = await lease();
    leases.open(one, 1000);
    await state.finishAttempt(one, { outcome: "ok" } as never);
    await pass(1002);
    expect(state.stateOf(one.jobId)).toBe("SUCCEEDED");
    expect([state.finished.length, lost.length]).toEqual([1, 1]);
  });

  it("runs the job again on another worker, and refuses the late finish of the lost one", async () => {
    const state = new QueueState();
    const far = new HeldBackend(state, [{ name: "far", capacity: { cpu: 4000 }, slots: 1 }], "far", TTL_MS);
    const near = new HeldBackend(state, [{ name: "near", capacity: { cpu: 4000 }, slots: 0 }], "near");
    far.stubborn = true;
    const leases = createLeases({
      state,
      clock: systemClock,
      log: silentLog,
      lost: (lease) => void far.stop(lease, "stopped"),
    });
    const { dispatcher } = dispatchBench({ backends: [far, near], watch: leases }, {}, state);
    await dispatcher.start();
    state.add("a");
    await pass();
    expect(far.started).toEqual(["a-1"]);
    near.views = [{ name: "near", capacity: { cpu: 4000 }, slots: 1 }];
    await pass(TTL_MS + 100);
    expect(near.running()).toEqual([{ jobId: "a-1", attempt: 2, worker: "near" }]);
    // The lost attempt still holds its slot: nobody knows that its processes are gone.
    expect(dispatcher.view().workers.map(({ attempts }) => attempts)).toEqual([1, 1]);
    await expect(far.end("a-1")).rejects.toMatchObject({ code: "LEASE_STALE" });
    await near.end("a-1");
    expect(state.stateOf("a-1")).toBe("SUCCEEDED");
    far.live.get("a-1")?.ended();
    expect(dispatcher.view().workers.map(({ attempts }) => attempts)).toEqual([0, 0]);
    expect(leases.size).toBe(0);
  });
});
