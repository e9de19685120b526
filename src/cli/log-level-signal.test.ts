import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { createLog, type LogLevel } from "../lib/log.ts";
import { logLevelSignal } from "./log-level-signal.ts";

it("takes the level that the settings have now, and stays with the old one when they have mistakes", async () => {
  const source = new EventEmitter();
  const lines: string[] = [];
  let [level, written]: [LogLevel, LogLevel | null] = ["error", "debug"];
  const log = createLog(
    () => level,
    (line) => lines.push(line),
  );
  const read = async () => {
    if (written === null) throw new Error("mistakes");
    return { logLevel: written };
  };
  const take = (now: LogLevel): void => {
    level = now;
  };
  const { release } = logLevelSignal({ read, take, log }, source);
  source.emit("SIGHUP");
  await expect.poll(() => level).toBe("debug");
  written = null;
  source.emit("SIGHUP");
  await expect.poll(() => lines.at(-1)).toContain("mistakes");
  expect(level).toBe("debug");
  release();
  expect(source.listenerCount("SIGHUP")).toBe(0);
});
