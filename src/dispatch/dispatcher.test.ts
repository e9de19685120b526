import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { dispatchBench, pass } from "./testing/dispatch-bench.ts";
import { HeldBackend } from "./testing/held-backend.ts";
import { QueueState } from "./testing/queue-state.ts";

const SLOTS = 4;

describe("dispatcher", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("ends what an earlier process left, and starts what waits", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    const ids = state.add("a", 2);
    await state.leaseJobs([{ jobId: ids[0] ?? "", worker: "w", grants: { resources: {}, devices: [] } }], Date.now());
    await dispatcher.start();
    await pass();
    expect(state.recovered).toEqual(["w"]);
    expect(backend.started).toEqual(ids);
    expect(state.rows.get(ids[0] ?? "")?.attempt).toBe(2);
  });

  it("does nothing before it is started", async () => {
    const { state, dispatcher } = dispatchBench();
    state.add("a");
    dispatcher.wake([]);
    await pass(60_000);
    expect(state.calls.queues).toBe(0);
  });

  it("starts a new job within the same turn of the event loop as its notice, without a timer", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    await pass();
    const before = performance.now();
    state.add("a");
    await pass(0);
    expect(backend.started).toEqual(["a-1"]);
    expect(performance.now()).toBe(before);
  });

  it("keeps all slots busy in order, and capacity in balance", async () => {
    const { state, backend, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    const ids = state.add("a", 100);
    await pass();
    expect(backend.live.size).toBe(SLOTS);
    for (const id of ids) {
      await backend.end(id);
      await pass();
      expect(backend.live.size).toBe(Math.min(SLOTS, 100 - ids.indexOf(id) - 1));
    }
    expect(backend.started).toEqual(ids);
    expect(reserved()).toEqual([[0, 0]]);
  });

  it("reads few times for many jobs: heads are kept and used up", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    const ids = state.add("a", 1000);
    await pass();
    for (const id of ids) {
      await backend.end(id);
      await pass(0);
    }
    expect(backend.started).toEqual(ids);
    expect(state.calls.queues).toBeLessThan(1000 / 48 + 64 / 4 + 20);
    expect(Math.max(...state.asked.map(({ perService }) => perService))).toBe(64);
  });

  it("makes one look of a storm of wakes, and none while every slot is taken", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a", SLOTS);
    await pass();
    const before = state.calls.queues;
    for (let times = 0; times < 10_000; times += 1) state.add("b", 1);
    await pass(5000);
    expect(state.calls.queues).toBe(before);
    expect(dispatcher.reason("b", "b-7")).toEqual({ because: "busy" });
    await backend.end("a-1");
    await pass(0);
    expect(state.calls.queues).toBe(before + 1);
    expect(backend.started.at(-1)).toBe("b-5");
  });

  it("reads nothing for commits that touch no queue", async () => {
    const { state, dispatcher } = dispatchBench();
    await dispatcher.start();
    await pass();
    const before = state.calls.queues;
    for (let times = 0; times < 10; times += 1) state.notify([]);
    await pass(100);
    expect(state.calls.queues).toBe(before);
  });

  it("starts a large job under an endless stream of small ones", async () => {
    const { state, backend, dispatcher } = dispatchBench({}, { capacity: { cpu: 4000 }, slots: null });
    await dispatcher.start();
    state.add("small", 3);
    await pass();
    const [big = ""] = state.add("big", 1, { need: { cpu: 4000 } });
    for (let rounds = 0; rounds < 100 && !backend.live.has(big); rounds += 1) {
      state.add("small", 2);
      await pass();
      const [oldest = ""] = backend.live.keys();
      await backend.end(oldest);
      await pass();
    }
    expect(backend.started).toContain(big);
  });

  it("leases jobs that are waiting together in one call", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    await pass();
    state.add("a", SLOTS);
    await pass();
    expect(state.calls.leaseJobs).toBe(1);
    for (const id of ["a-1", "a-2"]) await backend.end(id);
    state.add("b", 2);
    await pass();
    expect(state.calls.leaseJobs).toBe(2);
  });

  it("lets a job of higher priority go first, although many heads are known", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a", 100);
    await pass(500);
    const [urgent] = state.add("a", 1, { priority: 5 });
    await backend.end("a-1");
    await pass();
    expect(backend.started.at(-1)).toBe(urgent);
  });

  it("keeps to the concurrency of a service, dying attempts included", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    state.concurrency.set("a", 2);
    await dispatcher.start();
    state.add("a", 5);
    await pass();
    expect(backend.started).toEqual(["a-1", "a-2"]);
    state.cancel("a-1");
    dispatcher.wake(["a"]);
    await pass();
    expect(backend.started).toHaveLength(2);
    expect(dispatcher.reason("a", "a-4")).toMatchObject({ because: "concurrency", running: 2, limit: 2 });
    await backend.end("a-1", "cancelled");
    await pass();
    expect(backend.started).toHaveLength(3);
  });

  it("waits for the end of a backoff with one timer", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a", 1, { notBefore: Date.now() + 7000 });
    state.add("b", 1, { notBefore: Date.now() + 9000 });
    await pass(6999);
    expect(backend.started).toEqual([]);
    await pass(2);
    expect(backend.started).toEqual(["a-1"]);
    await pass(2000);
    expect(backend.started).toEqual(["a-1", "b-2"]);
    expect(state.calls.queues).toBeLessThan(8);
  });

  it("gives capacity back that the state did not lease, and goes on with the others", async () => {
    const { state, backend, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    state.before = async (method) => {
      if (method === "leaseJobs") state.cancel("a-2");
    };
    state.add("a", 4);
    await pass(5000);
    expect(backend.started).toEqual(["a-1", "a-3", "a-4"]);
    expect(reserved()).toEqual([[3, 3000]]);
  });

  it("does not spin on a job that its queue shows and its lease is refused", async () => {
    const { state, dispatcher, reserved } = dispatchBench();
    await dispatcher.start();
    vi.spyOn(state, "leaseJobs").mockImplementation(async () => []);
    state.add("a", 2);
    await pass(10_000);
    expect(vi.mocked(state.leaseJobs).mock.calls.length).toBeLessThanOrEqual(12);
    expect(reserved()).toEqual([[0, 0]]);
  });

  it("puts heads of different needs where they fit, and says what is short", async () => {
    const { state, backend, dispatcher } = dispatchBench({}, { capacity: { cpu: 2000 }, slots: null });
    await dispatcher.start();
    state.add("big", 1, { need: { cpu: 1500 } });
    state.add("huge", 1, { need: { cpu: 9000 } });
    await pass();
    state.add("big", 1, { need: { cpu: 1500 } });
    state.add("small", 1, { need: { cpu: 400 } });
    await pass();
    expect(backend.started).toEqual(["big-1", "small-4"]);
    expect(dispatcher.reason("huge", "huge-2")).toMatchObject({ because: "too_large" });
    expect(dispatcher.reason("big", "big-3")).toMatchObject({
      because: "capacity",
      lacking: [{ name: "cpu", need: 1500, free: 100 }],
    });
    expect(dispatcher.view().waiting.map(({ jobId }) => jobId)).toEqual(["huge-2", "big-3"]);
  });

  it("knows a job that waits for an earlier one on its key: it is in no complete list of heads", async () => {
    const { state, dispatcher } = dispatchBench();
    await dispatcher.start();
    state.add("a", 2);
    state.add("a", 1, { notBefore: Date.now() + 1e6 });
    await pass();
    expect(dispatcher.reason("a", "a-3")).toEqual({ because: "order" });
  });

  it("ends the lease of an attempt that its backend refuses to start", async () => {
    const { state, backend, dispatcher } = dispatchBench();
    await dispatcher.start();
    backend.refusal = new SluiceError("SANDBOX_UNAVAILABLE", "Cannot open a sandbox");
    state.add("a");
    await pass(0);
    backend.refusal = null;
    await pass();
    expect(state.finished).toMatchObject([
      {
        lease: { jobId: "a-1", attempt: 1 },
        result: { outcome: "infrastructure", message: expect.stringMatching(/held.*Cannot open/) },
      },
    ]);
    expect(backend.started).toEqual(["a-1"]);
    expect(state.rows.get("a-1")?.attempt).toBe(2);
  });

  it("counts the end of an attempt once, and says when a backend reports it twice", async () => {
    const { state, backend, dispatcher, reserved, lines } = dispatchBench();
    await dispatcher.start();
    state.add("a", 2);
    await pass();
    const ended = await backend.end("a-1");
    ended();
    expect(reserved()).toEqual([[1, 1000]]);
    expect(lines.at(-1)).toMatch(/ended twice.*a-1/);
  });

  it("watches the leases of backends that may lose their workers", async () => {
    const [open, close] = [vi.fn(), vi.fn()];
    const state = new QueueState();
    const far = new HeldBackend(state, [{ name: "far", capacity: { cpu: 1000 }, slots: 1 }], "far", 5000);
    await dispatchBench({ watch: { open, close }, backends: [far] }, {}, state).dispatcher.start();
    state.add("a");
    await pass();
    expect(open).toHaveBeenCalledExactlyOnceWith({ jobId: "a-1", attempt: 1, worker: "far" }, 5000);
    await far.end("a-1");
    expect(close).toHaveBeenCalledExactlyOnceWith({ jobId: "a-1", attempt: 1, worker: "far" });
  });
});
