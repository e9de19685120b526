import { expect, it } from "vitest";
import { createLog } from "../lib/log.ts";
import { Closers } from "./closers.ts";

it("closes the last opened first, goes on after a failure, and does nothing twice", async () => {
  const lines: string[] = [];
  const order: string[] = [];
  const closers = new Closers(createLog("error", (line) => lines.push(line)));
  closers.add("first", () => void order.push("first"));
  closers.add("second", async () => {
    throw new Error("stuck");
  });
  closers.add("third", async () => void order.push("third"));
  await closers.close();
  await closers.close();
  expect(order).toEqual(["third", "first"]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('"part":"second"');
});

it("closes what is still being opened once it is open, and nothing of what could not be opened", async () => {
  const lines: string[] = [];
  const closed: string[] = [];
  const closers = new Closers(
    createLog(
      () => "error",
      (line) => lines.push(line),
    ),
  );
  const { promise, resolve } = Promise.withResolvers<string>();
  closers.addOpening("late", promise, (part) => void closed.push(part));
  const failing = Promise.reject(new Error("no thread"));
  closers.addOpening("never", failing, () => void closed.push("never"));
  const done = closers.close();
  resolve("late part");
  await done;
  await expect(failing).rejects.toThrow("no thread");
  expect(closed).toEqual(["late part"]);
  expect(lines).toEqual([]);
});
