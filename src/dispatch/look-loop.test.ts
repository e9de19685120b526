import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../lib/clock.ts";
import { createLog } from "../lib/log.ts";
import { LookLoop, type NextLook } from "./look-loop.ts";

const NEVER: NextLook = { utc: Number.POSITIVE_INFINITY, monotonic: Number.POSITIVE_INFINITY };

describe("LookLoop", () => {
  let looks = 0;
  let look = async (): Promise<void> => {};
  let next = NEVER;
  let lines: string[] = [];
  const log = createLog("info", (line) => void lines.push(line));
  const create = (): LookLoop =>
    new LookLoop({
      look: () => {
        looks += 1;
        return look();
      },
      nextLook: () => next,
      clock: systemClock,
      log,
    });
  const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    vi.useFakeTimers();
    [looks, look, next, lines] = [0, async () => {}, NEVER, []];
  });
  afterEach(() => void vi.useRealTimers());

  it("makes one look of many wakes, and none without a wake", async () => {
    const loop = create();
    await pass(60_000);
    expect(looks).toBe(0);
    for (let times = 0; times < 1000; times += 1) loop.wake();
    await pass();
    expect(looks).toBe(1);
    await pass(60_000);
    expect(looks).toBe(1);
  });

  it("looks once more, and not at the same time, when woken while it looks", async () => {
    const gate = Promise.withResolvers<void>();
    look = () => gate.promise;
    const loop = create();
    loop.wake();
    await pass();
    for (let times = 0; times < 1000; times += 1) loop.wake();
    await pass(1000);
    expect(looks).toBe(1);
    gate.resolve();
    await pass();
    expect(looks).toBe(2);
  });

  it("looks again at the earlier of its two times", async () => {
    const loop = create();
    next = { utc: Date.now() + 5000, monotonic: performance.now() + 700 };
    loop.wake();
    await pass(699);
    expect(looks).toBe(1);
    next = { ...NEVER, utc: Date.now() + 300 };
    await pass(2);
    expect(looks).toBe(2);
    next = NEVER;
    await pass(300);
    expect(looks).toBe(3);
    await pass(60_000);
    expect(looks).toBe(3);
  });

  it("does not spin when the next time lies in the past, or beyond what a timer takes", async () => {
    const loop = create();
    next = { ...NEVER, utc: 0 };
    loop.wake();
    await pass(20);
    expect(looks).toBeGreaterThan(1);
    expect(looks).toBeLessThanOrEqual(21);
    next = { ...NEVER, utc: Date.now() + 2 ** 40 };
    await pass(20);
    const before = looks;
    await pass(60_000);
    expect(looks).toBe(before);
  });

  it("pauses longer and longer while looks fail, whoever wakes it, and says so", async () => {
    const loop = create();
    look = async () => Promise.reject(new Error("no disk"));
    loop.wake();
    for (let ms = 0; ms < 60_000; ms += 1) {
      loop.wake();
      await pass(1);
    }
    // Pauses of 100, 200, 400 … 5000 ms, at least half of each: 6 to double up, then at most one in 2.5 s.
    expect(looks).toBeGreaterThan(12);
    expect(looks).toBeLessThan(6 + 60 / 2.5 + 2);
    look = async () => {};
    await pass(5000);
    const healed = looks;
    loop.wake();
    await pass();
    expect(looks).toBe(healed + 1);
    expect(lines.at(-1)).toContain("dispatch goes on");
  });

  it("keeps doubling when looks succeed but the work they began fails", async () => {
    const loop = create();
    look = async () => loop.failed(new Error("cannot lease"));
    loop.wake();
    for (let ms = 0; ms < 30_000; ms += 10) {
      loop.wake();
      await pass(10);
    }
    expect(looks).toBeLessThan(6 + 30 / 2.5 + 2);
    loop.succeeded();
    look = async () => {};
    await pass(5000);
    expect(looks).toBeGreaterThan(6);
  });

  it("counts failures that come together once", async () => {
    const loop = create();
    for (let times = 0; times < 50; times += 1) loop.failed(new Error("no"));
    expect(lines).toHaveLength(1);
    await pass(100);
    expect(looks).toBe(1);
  });

  it("does nothing after it was stopped, paused or not", async () => {
    const loop = create();
    loop.wake();
    loop.stop();
    loop.wake();
    loop.failed(new Error("late"));
    await pass(60_000);
    expect([looks, lines.length]).toEqual([0, 0]);
  });
});
