import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dispatchBench, pass } from "./testing/dispatch-bench.ts";

const POLL_MS = 30_000;

describe("safety poll", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("starts jobs that nobody announced, and says so", async () => {
    const { dispatcher, state, backend, lines } = dispatchBench();
    await dispatcher.start();
    await pass();
    state.add("a", 1, { quiet: true });
    await pass(POLL_MS - 2);
    expect(backend.started).toEqual([]);
    await pass(10);
    expect(backend.started).toEqual(["a-1"]);
    expect(lines.filter((line) => line.includes("no wake-up"))).toHaveLength(1);
  });

  it("says nothing about work that is known, new, or waits for good reasons", async () => {
    const { dispatcher, state, lines } = dispatchBench();
    state.concurrency.set("a", 1);
    await dispatcher.start();
    state.add("a", 90);
    state.add("b", 1, { notBefore: Date.now() + 10 * POLL_MS });
    state.add("huge", 1, { need: { cpu: 1e9 } });
    await pass(POLL_MS - 100);
    state.add("c", 1, { quiet: true });
    await pass(2 * POLL_MS);
    expect(lines).toEqual([]);
  });

  it("asks for one head of each service only", async () => {
    const { dispatcher, state } = dispatchBench();
    await dispatcher.start();
    await pass(3 * POLL_MS + 10);
    expect(state.asked.every(({ services, perService }) => services === null && perService === 1)).toBe(true);
    expect(state.asked).toHaveLength(4);
  });

  it("tells open attempts that hold nothing here, at the second finding", async () => {
    const { dispatcher, state, lines } = dispatchBench();
    await dispatcher.start();
    state.add("a", 1, { quiet: true });
    await state.leaseJobs([{ jobId: "a-1", worker: "gone", grants: { resources: {}, devices: [] } }], Date.now());
    await pass(POLL_MS + 10);
    expect(lines).toEqual([]);
    await pass(POLL_MS);
    expect(lines).toMatchObject([expect.stringContaining('run nowhere here","services":["a"]')]);
  });

  it("takes over a worker that comes, grows or goes", async () => {
    const { dispatcher, state, backend } = dispatchBench({}, { slots: 1 });
    await dispatcher.start();
    state.add("a", 6);
    await pass();
    backend.views = [
      { name: "w", capacity: { cpu: 64_000 }, slots: 2 },
      { name: "v", capacity: { cpu: 2000 }, slots: null },
    ];
    await pass(POLL_MS);
    expect(backend.running().map(({ worker }) => worker)).toEqual(["w", "w", "v", "v"]);
    backend.views = [{ name: "v", capacity: { cpu: 2000 }, slots: null }];
    await pass(POLL_MS);
    for (const id of ["a-1", "a-2"]) await backend.end(id);
    await pass();
    expect(dispatcher.view().workers.map(({ name, attempts }) => [name, attempts])).toEqual([["v", 2]]);
  });

  it("goes on after a poll that failed", async () => {
    const { dispatcher, state, backend, lines } = dispatchBench();
    await dispatcher.start();
    await pass();
    vi.spyOn(backend, "workers").mockRejectedValueOnce(new Error("no answer"));
    state.add("a", 1, { quiet: true });
    await pass(POLL_MS + 10);
    expect([lines.join("").includes("no answer"), backend.started.length]).toEqual([true, 0]);
    await pass(POLL_MS);
    expect(backend.started).toEqual(["a-1"]);
  });
});
