import { EventEmitter } from "node:events";
import { expect, it, vi } from "vitest";
import { createLog } from "../lib/log.ts";
import { settingsSignal } from "./settings-signal.ts";

it("hands over the settings of now, one signal after the other, and keeps the old ones when they have mistakes", async () => {
  const source = new EventEmitter();
  const lines: string[] = [];
  const taken: string[] = [];
  let written: string | null = "one";
  const log = createLog("error", (line) => lines.push(line));
  const read = async () => {
    if (written === null) throw new Error("mistakes");
    return written;
  };
  let taking = 0;
  const take = async (settings: string): Promise<void> => {
    taking += 1;
    expect(taking).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    taking -= 1;
    if (settings === "refused") throw new Error("no such file");
    taken.push(settings);
  };
  const { release } = settingsSignal({ read, take, log }, source);
  source.emit("SIGHUP");
  source.emit("SIGHUP");
  await vi.waitFor(() => expect(taken).toEqual(["one", "one"]));
  for (const [wrong, words] of [
    [null, "mistakes"],
    ["refused", "no such file"],
  ] as const) {
    written = wrong;
    source.emit("SIGHUP");
    await vi.waitFor(() => expect(lines.at(-1)).toContain(words));
  }
  written = "two";
  source.emit("SIGHUP");
  await vi.waitFor(() => expect(taken).toEqual(["one", "one", "two"]));
  release();
  expect(source.listenerCount("SIGHUP")).toBe(0);
});
