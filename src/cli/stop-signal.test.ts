import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { stopSignal } from "./stop-signal.ts";

it("hears one intent in signals that come together, and ends at once on a later one", async () => {
  const source = new EventEmitter();
  const ends: number[] = [];
  let time = 5000;
  const { first, release } = stopSignal(
    source,
    (code) => ends.push(code),
    () => time,
  );
  source.emit("SIGINT", "SIGINT");
  expect(await first).toBe("SIGINT");
  time += 999;
  source.emit("SIGTERM", "SIGTERM");
  expect(ends).toEqual([]);
  time += 1;
  source.emit("SIGINT", "SIGINT");
  source.emit("SIGTERM", "SIGTERM");
  expect(ends).toEqual([130, 143]);
  release();
  expect(source.listenerCount("SIGINT") + source.listenerCount("SIGTERM")).toBe(0);
});
