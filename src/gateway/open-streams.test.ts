import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { OpenStreams } from "./open-streams.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("ends a stream within 5 s after its credential was disabled", async () => {
  const controller = new AbortController();
  let holds = true;
  new OpenStreams().admit(controller, async () => holds);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(controller.signal.aborted).toBe(false);
  holds = false;
  await vi.advanceTimersByTimeAsync(5000);
  expect(controller.signal.aborted).toBe(true);
});

it("ends a stream when nobody can tell whether its credential holds", async () => {
  const controller = new AbortController();
  new OpenStreams().admit(controller, () => Promise.reject(new Error("no state")));
  await vi.advanceTimersByTimeAsync(5000);
  expect(controller.signal.aborted).toBe(true);
});

it("asks no more once a stream has ended", async () => {
  const controller = new AbortController();
  const holds = vi.fn(async () => true);
  new OpenStreams().admit(controller, holds);
  controller.abort();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(holds).not.toHaveBeenCalled();
});

it("ends all when the server closes", () => {
  const streams = new OpenStreams();
  const controllers = [new AbortController(), new AbortController()];
  for (const controller of controllers) streams.admit(controller, async () => true);
  streams.closeAll();
  expect(controllers.map(({ signal }) => signal.aborted)).toEqual([true, true]);
});

it("refuses more than it can carry, and takes new ones when old ones end", () => {
  const streams = new OpenStreams();
  const first = new AbortController();
  streams.admit(first, async () => true);
  for (let at = 1; at < 512; at += 1) streams.admit(new AbortController(), async () => true);
  const more = () => streams.admit(new AbortController(), async () => true);
  expect(more).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
  first.abort();
  expect(more).not.toThrow();
});
