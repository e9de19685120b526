import { expect, it } from "vitest";
import { createLog } from "../lib/log.ts";
import { keepReserve } from "./keep-reserve.ts";

const silent = createLog(() => "error");

it("makes the reserve at once, again and again, and one at a time", async () => {
  let running = 0;
  let most = 0;
  let calls = 0;
  const restore = async () => {
    calls += 1;
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running -= 1;
    return true;
  };
  const stop = keepReserve({ restore }, silent, 5);
  expect(calls).toBe(1);
  await expect.poll(() => calls).toBeGreaterThan(2);
  await stop();
  expect({ running, most }).toEqual({ running: 0, most: 1 });
  const before = calls;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(calls).toBe(before);
});

it("says what went wrong, and tries again", async () => {
  const lines: string[] = [];
  let calls = 0;
  const restore = async () => {
    calls += 1;
    if (calls === 1) throw new Error("EIO");
    return true;
  };
  const stop = keepReserve(
    { restore },
    createLog(
      () => "warn",
      (line) => lines.push(line),
    ),
    5,
  );
  await expect.poll(() => calls).toBeGreaterThan(1);
  await stop();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("EIO");
});
