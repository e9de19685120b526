import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../core/errors.ts";
import type { Lease } from "../core/job.ts";
import { seededRandom } from "../scheduler/testing/views.ts";
import { type DispatchBench, dispatchBench, pass } from "./testing/dispatch-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Holds every lease back after it was written, until the promise is resolved. */
function holdLeases({ state }: DispatchBench): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  state.after = async (method) => {
    if (method === "leaseJobs") await gate.promise;
  };
  return gate;
}

const lease = (jobId: string, attempt = 1): Lease => ({ jobId, attempt, worker: "w" });

describe("dispatcher: cancel", () => {
  it("stops a running attempt and frees its capacity once", async () => {
    const { state, backend, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    state.add("a");
    await pass();
    const running = state.cancel("a-1");
    expect(running).toEqual(lease("a-1"));
    await dispatcher.stopAttempt(lease("a-1"));
    expect(backend.stopped).toEqual([{ lease: lease("a-1"), reason: "cancelled" }]);
    expect(state.finished).toMatchObject([{ result: { outcome: "cancelled" } }]);
    expect(reserved()).toEqual([[0, 0]]);
  });

  it("starts no attempt whose job was cancelled while its lease was being written", async () => {
    const bench = dispatchBench();
    const { state, backend, dispatcher, reserved } = bench;
    const gate = holdLeases(bench);
    await dispatcher.start();
    state.add("a", 2);
    await pass();
    const running = state.cancel("a-1");
    const stopped = dispatcher.stopAttempt(running ?? lease("none"));
    const again = dispatcher.stopAttempt(running ?? lease("none"));
    gate.resolve();
    await Promise.all([stopped, again]);
    await pass();
    expect(backend.started).toEqual(["a-2"]);
    expect(state.finished).toMatchObject([{ lease: lease("a-1"), result: { outcome: "cancelled" } }]);
    expect(state.stateOf("a-1")).toBe("CANCELLED");
    expect(reserved()).toEqual([[1, 1000]]);
  });

  it("starts the next attempt when the one before it is stopped late", async () => {
    const bench = dispatchBench();
    const { state, backend, dispatcher } = bench;
    await dispatcher.start();
    state.add("a");
    await pass();
    await backend.end("a-1", "infrastructure");
    const gate = holdLeases(bench);
    await pass();
    expect(dispatcher.reason("a", "a-1")).toBeNull();
    const stopped = dispatcher.stopAttempt(lease("a-1", 1));
    gate.resolve();
    await stopped;
    expect(backend.running()).toEqual([lease("a-1", 2)]);
    expect(backend.stopped).toEqual([]);
  });

  it("lets a cancel go whose lease was refused or failed in the end", async () => {
    const { state, dispatcher, reserved } = dispatchBench();
    const gate = Promise.withResolvers<void>();
    state.before = async (method) => {
      if (method === "leaseJobs") await gate.promise;
    };
    await dispatcher.start();
    state.add("a");
    await pass();
    const stopped = dispatcher.stopAttempt(lease("a-1"));
    state.cancel("a-1");
    gate.resolve();
    await stopped;
    expect(reserved()).toEqual([[0, 0]]);
  });

  it("has nothing to stop when the attempt is over or was never here", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a");
    await pass();
    await backend.end("a-1");
    await dispatcher.stopAttempt(lease("a-1"));
    await dispatcher.stopAttempt(lease("b-1"));
    expect(backend.stopped).toEqual([]);
  });

  it("tells who cancelled when the backend cannot stop the attempt", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a");
    await pass();
    backend.stop = async () => Promise.reject(new Error("no cgroup"));
    await expect(dispatcher.stopAttempt(lease("a-1"))).rejects.toThrow("no cgroup");
  });
});

describe("dispatcher: a job that is queued again while its last attempt dies", () => {
  it("holds capacity for both until the first is gone", async () => {
    const { state, backend, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    state.add("a");
    await pass();
    const held = backend.live.get("a-1");
    Object.assign(state.rows.get("a-1") ?? {}, { state: "QUEUED", open: false });
    dispatcher.wake(["a"]);
    await pass();
    expect(reserved()).toEqual([[2, 2000]]);
    held?.ended();
    expect(reserved()).toEqual([[1, 1000]]);
    expect(backend.running()).toEqual([lease("a-1", 2)]);
  });
});

describe("dispatcher: a state that fails", () => {
  it("backs off while queues cannot be read, then starts what waits", async () => {
    const { state, backend, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    await pass();
    const calls = state.calls.queues;
    state.before = async () => Promise.reject(new SluiceError("DISK_FULL", "Cannot read: no room"));
    state.add("a", 3);
    await pass(20_000);
    expect(state.calls.queues - calls).toBeLessThan(20);
    state.before = async () => {};
    await pass(5000);
    expect(backend.started).toEqual(["a-1", "a-2", "a-3"]);
    expect(reserved()).toEqual([[3, 3000]]);
  });

  it("loses no capacity while leases fail, does not spin, and keeps the order", async () => {
    const { state, backend, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    state.before = async (method) => {
      if (method === "leaseJobs") throw new SluiceError("DISK_FULL", "Cannot write: no room");
    };
    const ids = state.add("a", 10);
    await pass(60_000);
    expect(reserved()).toEqual([[0, 0]]);
    expect(state.calls.leaseJobs).toBeGreaterThan(20);
    expect(state.calls.leaseJobs).toBeLessThan(40 * 4);
    state.before = async () => {};
    await pass(5000);
    expect(backend.started).toEqual(ids.slice(0, 4));
  });

  it("keeps the order and waits no longer than a pause when the disk was full for a moment", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.before = async (method) => {
      if (method === "leaseJobs") throw new SluiceError("DISK_FULL", "Cannot write: no room");
    };
    const ids = state.add("a", 10);
    await pass(1000);
    state.before = async () => {};
    await pass(2000);
    expect(backend.started).toEqual(ids.slice(0, 4));
  });

  it("pauses shortly again once a lease was written in between", async () => {
    const { state, dispatcher, lines } = dispatchBench();
    await dispatcher.start();
    const fail = async (method: string): Promise<void> => {
      if (method === "leaseJobs") throw new SluiceError("DISK_FULL", "Cannot write: no room");
    };
    state.before = fail;
    state.add("a");
    await pass(20_000);
    state.before = async () => {};
    await pass(5000);
    state.before = fail;
    lines.length = 0;
    state.add("a");
    await pass();
    expect(lines).toMatchObject([expect.stringMatching(/"failures":1,"pauseMs":\d{2,3}}/)]);
  });

  it("reads a queue again whose read failed, also when it knew the queue before", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a", 1, { need: { cpu: 1e9 } });
    await pass();
    state.before = async () => Promise.reject(new SluiceError("DISK_FULL", "Cannot read: no room"));
    state.add("a");
    await pass();
    state.before = async () => {};
    await pass(200);
    expect(backend.started).toEqual(["a-2"]);
  });

  it("starts the others when one job can never be leased", async () => {
    const { state, backend, dispatcher, lines } = dispatchBench({}, { slots: 32 });
    await dispatcher.start();
    state.before = async (method, jobIds) => {
      if (method === "leaseJobs" && jobIds.includes("a-3"))
        throw new SluiceError("DATA_CORRUPT", "Cannot read the row");
    };
    const ids = state.add("a", 8);
    await pass(2000);
    expect(backend.started.toSorted()).toEqual(ids.filter((id) => id !== "a-3"));
    const calls = state.calls.leaseJobs;
    await pass(25_000);
    expect(state.calls.leaseJobs).toBe(calls);
    expect(lines.join("")).toContain("DATA_CORRUPT");
    state.before = async () => {};
    await pass(10_000);
    expect(backend.started).toContain("a-3");
  });

  it("rejects its start when the state or a backend does", async () => {
    const broken = dispatchBench();
    vi.spyOn(broken.state, "recoverAttempts").mockRejectedValue(new SluiceError("DISK_FULL", "no room"));
    await expect(broken.dispatcher.start()).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(broken.state.listeners).toBe(0);
    const twins = [0, 1].map(() => ({ name: "w", capacity: {}, slots: 1 }));
    const twice = dispatchBench();
    twice.backend.views = twins;
    await expect(twice.dispatcher.start()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("dispatcher under random faults", () => {
  it("never runs more than it may, loses nothing, and finishes every job", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed);
      const bench = dispatchBench({}, { slots: 3 });
      const { state, backend, dispatcher, reserved } = bench;
      state.before = async () => {
        if (random() < 0.2) throw new SluiceError("DISK_FULL", "no room");
        if (random() < 0.5) await Promise.resolve();
      };
      state.concurrency.set("b", 1);
      await dispatcher.start();
      for (let step = 0; step < 200; step += 1) await randomStep(bench, random, step < 100);
      state.before = async () => {};
      for (let step = 0; step < 400; step += 1) await randomStep(bench, random, false);
      const left = [...state.rows.values()].filter((row) => row.state === "QUEUED" || row.state === "RUNNING");
      expect(left.length, `seed ${seed}`).toBe(0);
      expect(backend.live.size, `seed ${seed}`).toBe(0);
      expect(reserved()[0], `seed ${seed}`).toEqual([0, 0]);
      await dispatcher.drain(0);
    }
  });
});

/** One of: a job arrives, an attempt ends or fails, a job is cancelled, time passes. */
async function randomStep(
  { state, backend, dispatcher, reserved }: DispatchBench,
  random: () => number,
  arrive: boolean,
) {
  if (arrive) state.add(random() < 0.5 ? "a" : "b", 1 + Math.floor(random() * 3), { quiet: random() < 0.2 });
  const live = [...backend.live.keys()];
  const one = live[Math.floor(random() * live.length)];
  if (one && random() < 0.7) await backend.end(one, random() < 0.2 ? "infrastructure" : "ok").catch(() => {});
  const rows = [...state.rows.values()];
  const victim = rows[Math.floor(random() * rows.length)];
  if (victim && random() < 0.1 && (victim.state === "QUEUED" || victim.state === "RUNNING")) {
    const running = state.cancel(victim.head.jobId);
    if (running) dispatcher.stopAttempt(running).catch(() => {});
  }
  await pass(random() < 0.1 ? 31_000 : Math.floor(random() * 200));
  const alive = backend.running().filter(({ jobId }) => jobId.startsWith("b-"));
  expect(alive.length).toBeLessThanOrEqual(1);
  expect(reserved()[0]?.[0]).toBeLessThanOrEqual(3);
}
