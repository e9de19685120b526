import { expect, test } from "vitest";
import { SharedWork } from "./shared-work.ts";

const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("goes on while one waits, and ends with the last", async () => {
  const work = new SharedWork(forever);
  const [one, other] = [new AbortController(), new AbortController()];
  const waits = [work.wait(one.signal), work.wait(other.signal)].map((each) => each.catch((error: unknown) => error));
  one.abort(new Error("one"));
  expect(await waits[0]).toMatchObject({ message: "one" });
  expect(work.isWanted).toBe(true);
  other.abort(new Error("other"));
  expect(await waits[1]).toMatchObject({ message: "other" });
  expect(work.isWanted).toBe(false);
  await work.settled();
});

test("whoever comes and has left keeps it for nobody", async () => {
  const work = new SharedWork(forever);
  await expect(work.wait(AbortSignal.abort(new Error("left")))).rejects.toThrow("left");
  expect(work.isWanted).toBe(false);
  await work.settled();
});

test("its end is told to all", async () => {
  const work = new SharedWork(async () => 7);
  const { signal } = new AbortController();
  expect(await Promise.all([work.wait(signal), work.wait(signal)])).toEqual([7, 7]);
});
