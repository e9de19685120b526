import { expect, it } from "vitest";
import { fakeState } from "../testing/fake-state.ts";
import { Wakeups } from "./wakeups.ts";

const NEVER = new AbortController().signal;
const LONG = 60_000;

it("wakes all who wait, once a commit is told of", async () => {
  const state = fakeState();
  const wakeups = new Wakeups(state);
  const waiting = [wakeups.after(0, LONG, NEVER), wakeups.after(0, LONG, NEVER)];
  state.note({});
  expect(await Promise.all(waiting)).toEqual([true, true]);
  expect([wakeups.version, wakeups.lastSeq]).toEqual([1, 1]);
});

it("does not sleep through what was committed before the wait", async () => {
  const state = fakeState();
  const wakeups = new Wakeups(state);
  const { version } = wakeups;
  state.note({});
  expect(await wakeups.after(version, LONG, NEVER)).toBe(true);
});

it("gives up after its time, and when it is aborted, before or during the wait", async () => {
  const wakeups = new Wakeups(fakeState());
  expect(await wakeups.after(0, 1, NEVER)).toBe(false);
  expect(await wakeups.after(0, LONG, AbortSignal.abort())).toBe(false);
  const controller = new AbortController();
  const waiting = wakeups.after(0, LONG, controller.signal);
  controller.abort();
  expect(await waiting).toBe(false);
});

it("hears nothing once closed", () => {
  const state = fakeState();
  const wakeups = new Wakeups(state);
  wakeups.close();
  state.note({});
  expect(wakeups.version).toBe(0);
});
