import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RunStop } from "./run-stop.ts";

let sent: string[];
let takesSignals: boolean;
let stop: RunStop;
beforeEach(() => {
  vi.useFakeTimers();
  [sent, takesSignals] = [[], true];
  stop = new RunStop({
    terminate: () => takesSignals && sent.push("TERM") > 0,
    kill: () => void sent.push("KILL"),
    graceMs: 1000,
  });
});
afterEach(() => vi.useRealTimers());

test("SIGTERM, and SIGKILL after the grace", () => {
  stop.started(null);
  stop.stop(null, 500);
  vi.advanceTimersByTime(499);
  expect(sent).toEqual(["TERM"]);
  vi.advanceTimersByTime(1);
  expect(sent).toEqual(["TERM", "KILL"]);
});

test("a later stop with less patience counts", () => {
  stop.started(null);
  stop.stop(null, 60_000);
  stop.stop("memory", 0);
  expect(sent).toEqual(["TERM", "KILL"]);
  expect(stop.cause).toEqual({ limit: null });
});

test("what takes no signals is killed at once", () => {
  takesSignals = false;
  stop.started(null);
  stop.stop(null, 500);
  expect(sent).toEqual(["KILL"]);
});

test("a stop before the start is kept, and kills at the start", () => {
  stop.stop(null, 500);
  expect(sent).toEqual([]);
  expect(stop.beforeStart()).toMatchObject({ exitCode: null, signal: "SIGKILL", limit: null });
  stop.started(null);
  expect(sent).toEqual(["KILL"]);
});

test("the wall clock has its grace, also when it is longer than a timer can be", () => {
  const fortyDaysMs = 40 * 24 * 3_600_000;
  stop.started(fortyDaysMs);
  vi.advanceTimersByTime(fortyDaysMs - 1);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(sent).toEqual(["TERM"]);
  vi.advanceTimersByTime(1000);
  expect(sent).toEqual(["TERM", "KILL"]);
  expect(stop.cause).toEqual({ limit: "wall" });
});

test("the first error is the run's; one of its output stops it, one of a signal does not", () => {
  stop.started(null);
  stop.throwFailure();
  stop.keep(new Error("no such process"));
  expect([stop.cause, stop.hasFailed]).toEqual([null, true]);
  stop.fail(new Error("later"));
  expect(sent).toEqual(["KILL"]);
  expect(() => stop.throwFailure()).toThrow("no such process");
});

test("nothing happens after the end", () => {
  stop.started(5000);
  stop.stop(null, 500);
  stop.ended();
  stop.stop("disk", 0);
  vi.advanceTimersByTime(10_000);
  expect(sent).toEqual(["TERM"]);
  expect(vi.getTimerCount()).toBe(0);
});
