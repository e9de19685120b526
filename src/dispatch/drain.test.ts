import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { type DispatchBench, dispatchBench, pass } from "./testing/dispatch-bench.ts";

/** Started, with `count` jobs in its 4 slots and its queue. */
async function busy(count: number): Promise<DispatchBench> {
  const bench = dispatchBench({ timing: { stopGraceMs: 15_000 } });
  await bench.dispatcher.start();
  bench.state.add("a", count);
  await pass();
  return bench;
}

/** Resolves to the fake time the drain took, or null while it is not done. */
function timed(drained: Promise<void>): { tookMs: number | null } {
  const [began, seen] = [performance.now(), { tookMs: null as number | null }];
  void drained.then(() => {
    seen.tookMs = Math.round(performance.now() - began);
  });
  return seen;
}

describe("drain", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is done at once when nothing runs, and leaves no timer and no subscription", async () => {
    const { dispatcher, state } = await busy(0);
    const seen = timed(dispatcher.drain(30_000));
    await pass(0);
    expect(seen.tookMs).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(state.listeners).toBe(0);
  });

  it("waits for what runs and starts nothing more", async () => {
    const { dispatcher, state, backend } = await busy(6);
    const seen = timed(dispatcher.drain(30_000));
    expect(dispatcher.view().draining).toBe(true);
    expect(dispatcher.reason("a", "a-5")).toEqual({ because: "draining" });
    for (const id of ["a-1", "a-2", "a-3"]) await backend.end(id);
    state.add("b");
    dispatcher.wake([]);
    await pass(10_000);
    expect([seen.tookMs, backend.live.size]).toEqual([null, 1]);
    await backend.end("a-4");
    await pass(0);
    expect(seen.tookMs).toBe(10_000);
    expect(backend.stopped).toEqual([]);
    expect(["a-5", "a-6", "b-7"].map((id) => state.stateOf(id))).toEqual(["QUEUED", "QUEUED", "QUEUED"]);
  });

  it("stops what still runs at the end of the time, and its jobs are queued again", async () => {
    const { dispatcher, state, backend } = await busy(4);
    const seen = timed(dispatcher.drain(30_000));
    await pass(29_999);
    expect(backend.stopped).toEqual([]);
    await pass(1);
    expect(backend.stopped.map(({ reason }) => reason)).toEqual(Array(4).fill("stopped"));
    expect(seen.tookMs).toBe(30_000);
    expect(state.finished.map(({ result }) => result.outcome)).toEqual(Array(4).fill("stopped"));
    expect(state.stateOf("a-1")).toBe("QUEUED");
  });

  it("does not wait for ever for an attempt that will not die, and names its job", async () => {
    const { dispatcher, backend, lines } = await busy(2);
    backend.stubborn = true;
    const seen = timed(dispatcher.drain(1000));
    await pass(1000 + 14_999);
    expect(seen.tookMs).toBeNull();
    await pass(1);
    expect(seen.tookMs).toBe(16_000);
    expect(lines.at(-1)).toMatch(/still alive.*"a-1","a-2"/);
  });

  it("survives a backend that throws when it should stop", async () => {
    const { dispatcher, backend, lines } = await busy(1);
    backend.stop = async () => Promise.reject(new Error("no cgroup"));
    const seen = timed(dispatcher.drain(0));
    await pass(15_001);
    expect(seen.tookMs).not.toBeNull();
    expect(lines.join("")).toContain("no cgroup");
  });

  it("hands back what is being leased instead of starting it", async () => {
    const bench = dispatchBench();
    const { dispatcher, state, backend } = bench;
    const gate = Promise.withResolvers<void>();
    state.after = async (method) => {
      if (method === "leaseJobs") await gate.promise;
    };
    await dispatcher.start();
    state.add("a", 2);
    await pass();
    const seen = timed(dispatcher.drain(30_000));
    await pass(100);
    expect(seen.tookMs).toBeNull();
    gate.resolve();
    await pass(0);
    expect(seen.tookMs).toBe(100);
    expect(backend.started).toEqual([]);
    expect(state.finished.map(({ result }) => result.outcome)).toEqual(["stopped", "stopped"]);
    expect(["a-1", "a-2"].map((id) => state.stateOf(id))).toEqual(["QUEUED", "QUEUED"]);
  });

  it("gives up on handing back when the state refuses all the time", async () => {
    const { dispatcher, state, backend } = dispatchBench();
    state.before = async (method) => {
      if (method === "finishAttempt") throw new SluiceError("DISK_FULL", "no room");
    };
    await dispatcher.start();
    backend.refusal = new Error("no sandbox");
    state.add("a");
    await pass();
    const seen = timed(dispatcher.drain(1000));
    await pass(15_001);
    expect(seen.tookMs).toBe(15_000);
    await pass(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("starts nothing for a read that was on its way", async () => {
    const { dispatcher, state, backend } = dispatchBench();
    const gate = Promise.withResolvers<void>();
    await dispatcher.start();
    await pass();
    state.after = () => gate.promise;
    state.add("a");
    await pass();
    const seen = timed(dispatcher.drain(1000));
    gate.resolve();
    await pass(1000);
    expect(seen.tookMs).toBe(0);
    expect([state.calls.leaseJobs, backend.started.length]).toEqual([0, 0]);
  });

  it("joins a second call to the first", async () => {
    const { dispatcher, backend } = await busy(1);
    const first = dispatcher.drain(5000);
    expect(dispatcher.drain(0)).toBe(first);
    await pass(4999);
    expect(backend.stopped).toEqual([]);
    await pass(1);
    await first;
  });

  it("does not start after a drain that came first", async () => {
    const { dispatcher, state } = dispatchBench();
    await dispatcher.drain(0);
    state.add("a");
    await dispatcher.start();
    await pass(60_000);
    expect([state.calls.queues, state.listeners]).toEqual([0, 0]);
  });
});
