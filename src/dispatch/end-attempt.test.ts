import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { endAttempt, type ServerEnd } from "./end-attempt.ts";
import { QueueState } from "./testing/queue-state.ts";

const LOST: ServerEnd = { outcome: "lost", message: "gone" };

describe("endAttempt", () => {
  let state: QueueState;
  const closed = (): AbortController => new AbortController();
  async function running() {
    const [jobId = ""] = state.add("a");
    const [leased] = await state.leaseJobs(
      [{ jobId, worker: "w", grants: { resources: {}, devices: [] } }],
      Date.now(),
    );
    if (!leased) throw new Error("not leased");
    return leased.lease;
  }
  const end = (lease: Awaited<ReturnType<typeof running>>, signal: AbortSignal) =>
    endAttempt({ state, clock: systemClock, log: silentLog }, lease, LOST, signal);

  beforeEach(() => {
    vi.useFakeTimers();
    state = new QueueState();
  });
  afterEach(() => void vi.useRealTimers());

  it("ends the attempt with its outcome and no usage", async () => {
    const lease = await running();
    expect(await end(lease, closed().signal)).toBe(true);
    expect(state.finished).toMatchObject([{ lease, result: { ...LOST, exitCode: null, usage: { wallMs: 0 } } }]);
    expect(state.stateOf(lease.jobId)).toBe("QUEUED");
  });

  it("tries again until it is committed", async () => {
    const lease = await running();
    let failures = 7;
    state.before = async (method) => {
      if (method === "finishAttempt" && failures-- > 0) throw new SluiceError("DISK_FULL", "no room");
    };
    const ended = end(lease, closed().signal);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(await ended).toBe(true);
    expect(state.calls.finishAttempt).toBe(8);
  });

  it("leaves an attempt alone that somebody else ended", async () => {
    const lease = await running();
    await end(lease, closed().signal);
    expect(await end(lease, closed().signal)).toBe(false);
    expect(state.finished).toHaveLength(1);
  });

  it("gives up when it is told to, also while it waits", async () => {
    const lease = await running();
    state.before = async () => Promise.reject(new Error("broken"));
    const controller = closed();
    const ended = end(lease, controller.signal);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await ended).toBe(false);
    const calls = state.calls.finishAttempt;
    expect(await end(lease, controller.signal)).toBe(false);
    expect(state.calls.finishAttempt).toBe(calls);
    expect(vi.getTimerCount()).toBe(0);
  });
});
