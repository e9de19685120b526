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
