import { expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { createLog, type LogLevel } from "./log.ts";

it("writes one JSON object a line, at or above its level, with the child's fields", () => {
  const lines: string[] = [];
  const log = createLog("info", (line) => lines.push(line)).child({ job: "j1" });
  log.debug("hidden");
  log.warn("two\nlines", { count: 2 });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.endsWith("\n")).toBe(true);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "warn", message: "two\nlines", job: "j1", count: 2 });
});

it("asks for its level at every line, children too", () => {
  const lines: string[] = [];
  let level: LogLevel = "error";
  const log = createLog(
    () => level,
    (line) => lines.push(line),
  ).child({ job: "j1" });
  log.info("hidden");
  level = "info";
  log.info("shown");
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(["shown"]);
});

it("shows a coded error without a stack, a defect with one", () => {
  const lines: string[] = [];
  const log = createLog("info", (line) => lines.push(line));
  log.error("known", { error: new SluiceError("JOB_UNKNOWN", "no such job") });
  log.error("defect", { error: new TypeError("x is undefined") });
  const [known, defect] = lines.map((line) => JSON.parse(line).error);
  expect(known).toEqual({ message: "no such job", code: "JOB_UNKNOWN" });
  expect(defect.stack).toContain("log.test.ts");
});
