import { expect, it, vi } from "vitest";
import { silentLog } from "../lib/log.ts";
import type { CommitNotice } from "../state/state.ts";
import { startFanOut } from "./fan-out-loop.ts";
import { startRetention } from "./retention.ts";

const clock = { now: () => 10_000, monotonicMs: () => 0 };

it("removes old jobs batch by batch with their logs, then old changes", async () => {
  const batches = [Array.from({ length: 200 }, (_, n) => `a-${n}`), ["b-1"]];
  const expireJobs = vi.fn(async () => batches.shift() ?? []);
  const expireChanges = vi.fn(async () => 0);
  const remove = vi.fn(async (_jobIds: readonly string[]) => {});
  const retention = startRetention({
    state: { expireJobs, expireChanges },
    logs: { remove },
    keepJobsMs: 3000,
    keepChangesMs: 1000,
    clock,
    log: silentLog,
  });
  await expect.poll(() => expireChanges).toHaveBeenCalledOnce();
  await retention.stop();
  expect(expireJobs.mock.calls).toEqual([
    [7000, 200],
    [7000, 200],
  ]);
  expect(remove.mock.calls.map(([ids]) => ids.length)).toEqual([200, 1]);
  expect(expireChanges).toHaveBeenCalledWith(9000, 200);
});

it("keeps everything when told to, and tries again after a failure", async () => {
  const expireJobs = vi.fn(async () => []);
  const expireChanges = vi.fn().mockRejectedValueOnce(new Error("busy")).mockResolvedValue(0);
  const retention = startRetention({
    state: { expireJobs, expireChanges },
    logs: { remove: async () => {} },
    keepJobsMs: null,
    keepChangesMs: 1,
    clock,
    log: silentLog,
    everyMs: 1,
  });
  await expect.poll(() => expireChanges.mock.calls.length).toBeGreaterThan(1);
  await retention.stop();
  expect(expireJobs).not.toHaveBeenCalled();
});

it("fans out at start, when there is more to do only, and once more when a notice comes during work", async () => {
  let notify: (notice: CommitNotice) => void = () => {};
  let left = 3;
  const continueFanOut = vi.fn(async () => {
    left -= 1;
    return left > 0;
  });
  const state = {
    continueFanOut,
    subscribe: (listener: (notice: CommitNotice) => void) => {
      notify = listener;
      return () => {};
    },
  };
  const loop = startFanOut({ state, log: silentLog, chunk: 7 });
  await expect.poll(() => continueFanOut).toHaveBeenCalledTimes(3);
  expect(continueFanOut).toHaveBeenCalledWith(7);
  notify({ lastSeq: 1, services: [], kinds: ["job.succeeded"], moreToDo: false });
  await new Promise((resolve) => setImmediate(resolve));
  expect(continueFanOut).toHaveBeenCalledTimes(3);
  left = 1;
  notify({ lastSeq: 2, services: [], kinds: ["service.removed"], moreToDo: true });
  notify({ lastSeq: 3, services: [], kinds: ["job.succeeded"], moreToDo: true });
  await expect.poll(() => continueFanOut.mock.calls.length).toBeGreaterThanOrEqual(5);
  await loop.stop();
});
