import { randomBytes } from "node:crypto";
import { unlinkSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Clock } from "../../lib/clock.ts";
import { createLog } from "../../lib/log.ts";
import { Pace } from "./pace.ts";
import type { Scrub, ScrubOptions } from "./scrub.ts";
import { CheckBench } from "./testing/check-bench.ts";

const DAY_MS = 86_400_000;
const PERIOD_MS = 30 * DAY_MS;

let bench: CheckBench;
let lines: string[] = [];
/** Days since the first look. */
let day = 0;
/** Monotonic time runs fast, so that progress is saved at each page. */
let ticks = 0;

beforeEach(async () => {
  bench = await CheckBench.open();
  lines = [];
  day = 0;
  ticks = 0;
});
afterEach(async () => {
  await bench.close();
  bench.remove();
});

function scrub(over: Partial<ScrubOptions> = {}): Scrub {
  const clock: Clock = { now: () => 1e12 + day * DAY_MS, monotonicMs: () => (ticks += 100_000) };
  const log = createLog("info", (line) => void lines.push(line));
  return bench.blobs.openScrub({ state: bench.state, periodMs: PERIOD_MS, clock, log, ...over });
}

const messages = (): string[] => lines.map((line) => JSON.parse(line).message);

it("looks at everything once a period, and says that all is well", async () => {
  await bench.put("a", randomBytes(200));
  const looking = scrub();
  await looking.runDue();
  expect(messages()).toEqual(["checked the store: all is well"]);
  expect(await bench.state.scrubProgress()).toEqual({ after: 0, startedAt: 1e12, endedAt: 1e12 });
  day = 29;
  await looking.runDue();
  expect(lines).toHaveLength(1);
  day = 30;
  await looking.runDue();
  expect(lines).toHaveLength(2);
  expect((await bench.state.scrubProgress())?.startedAt).toBe(1e12 + 30 * DAY_MS);
  day = -1;
  await looking.runDue();
  expect(lines).toHaveLength(3);
});

it("says what is damaged, lost, left over and counted wrong, remembers it, and mends nothing", async () => {
  const [spoiled, gone, counted] = [
    await bench.put("spoiled", randomBytes(200)),
    await bench.put("gone", randomBytes(200)),
    await bench.put("counted", randomBytes(200)),
  ];
  const lost = await bench.put("lost", Buffer.from("x"));
  bench.spoil(spoiled);
  unlinkSync(bench.pathOf(gone));
  const orphan = bench.orphan();
  bench.sql(`UPDATE blobs SET refs = 2 WHERE blob_id = '${counted}'; DELETE FROM blobs WHERE blob_id = '${lost}'`);
  await scrub().runDue();
  const said = lines.map((line) => JSON.parse(line));
  expect(said).toContainEqual(
    expect.objectContaining({ level: "error", key: "spoiled", damage: "bytes", bucket: "box" }),
  );
  expect(said).toContainEqual(expect.objectContaining({ level: "error", key: "gone", damage: "missing" }));
  expect(said).toContainEqual(expect.objectContaining({ level: "error", key: "lost", damage: "row" }));
  expect(said).toContainEqual(expect.objectContaining({ level: "error", blob: counted, kept: 2, counted: 1 }));
  expect(said.at(-1)).toMatchObject({ level: "error", damaged: 2, orphans: 1, references: 1, lost: 1 });
  expect(bench.exists(orphan)).toBe(true);
  expect((await bench.state.damagedBlobs(9)).map(({ blobId }) => blobId)).toEqual([spoiled, gone]);
});

it("goes on behind the last page it saved when it was stopped", async () => {
  for (let n = 0; n < 70; n++) await bench.put(`${n}`, randomBytes(200));
  const first: Scrub = scrub({
    state: {
      ...bench.state,
      async saveScrub(progress) {
        await bench.state.saveScrub(progress);
        if (progress.after > 0) void first.close();
      },
    },
  });
  await expect(first.runDue()).rejects.toMatchObject({ name: "AbortError" });
  const left = await bench.state.scrubProgress();
  expect(left).toMatchObject({ endedAt: null, startedAt: 1e12 });
  const looked: number[] = [];
  day = 3;
  const second = scrub({
    state: {
      ...bench.state,
      async blobPage(after, limit) {
        looked.push(after);
        return bench.state.blobPage(after, limit);
      },
    },
  });
  await second.runDue();
  expect(looked[0]).toBe(left?.after);
  expect(left?.after).toBeGreaterThan(0);
  expect(await bench.state.scrubProgress()).toMatchObject({ startedAt: 1e12, endedAt: 1e12 + 3 * DAY_MS });
});

it("begins by itself, survives what fails, and ends when it is told", async () => {
  const { promise: tried, resolve } = Promise.withResolvers<void>();
  const failing = {
    ...bench.state,
    async scrubProgress(): Promise<never> {
      setImmediate(resolve);
      throw new Error("no disk");
    },
  };
  const looking = scrub({ state: failing, firstAfterMs: 1 });
  looking.start();
  await tried;
  await looking.close();
  expect(messages()).toEqual(["cannot check the store: will try again"]);
});

it("a pace makes reading take its time, and waits no longer than it is wanted", async () => {
  const never = new AbortController().signal;
  const started = performance.now();
  const pace = new Pace({ now: () => 0, monotonicMs: () => performance.now() }, () => 1024 * 1024);
  for (let n = 0; n < 4; n++) await pace.take(48 * 1024, never);
  // Four times 48 KiB and the look at each are worth a quarter of a second; what is owed last is less than one timer.
  expect(performance.now() - started).toBeGreaterThan(200);
  const stop = new AbortController();
  const waiting = pace.take(1e12, stop.signal);
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  await expect(pace.take(0, stop.signal)).rejects.toMatchObject({ name: "AbortError" });
});
