import { describe, expect, it } from "vitest";
import type { ExecResult, SandboxLimits } from "../sandbox/sandbox.ts";
import { LastLine } from "./last-line.ts";
import { abortedEnd, scriptEnd } from "./outcome.ts";

const LIMITS: SandboxLimits = {
  cpuMilli: 500,
  cpuHard: false,
  memoryBytes: 256 * 1024 ** 2,
  pids: 2048,
  wallMs: 600_000,
  diskBytes: 10 * 1024 ** 3,
  files: 100_000,
};

function exec(over: Partial<ExecResult>): ExecResult {
  const usage = { wallMs: 1, cpuMs: 1, memoryPeakBytes: 255.5 * 1024 ** 2 };
  return { exitCode: null, signal: null, limit: null, notes: [], usage, ...over };
}

describe("scriptEnd", () => {
  it.each<[Partial<ExecResult>, string, string]>([
    [{ exitCode: 0 }, "ok", ""],
    [{ exitCode: 3 }, "exit", "exited with 3; the last line of its log: oh no"],
    [
      { exitCode: 127 },
      "exit",
      "exited with 127: a program of the script was not found in the image; the last line of its log: oh no",
    ],
    [
      { exitCode: 126 },
      "exit",
      "exited with 126: a program of the script cannot be executed; the last line of its log: oh no",
    ],
    [
      { exitCode: 139 },
      "exit",
      "exited with 139: a program of the script was ended by SIGSEGV; the last line of its log: oh no",
    ],
    [{ exitCode: 255 }, "exit", "exited with 255; the last line of its log: oh no"],
    [{ signal: "SIGSEGV" }, "signal", "killed by SIGSEGV; the last line of its log: oh no"],
    [
      { signal: "SIGKILL", limit: "memory" },
      "memory",
      "killed at its memory limit of 256Mi (peak 255.5Mi): set memory: 512Mi",
    ],
    [{ signal: "SIGKILL", limit: "wall" }, "timeout", "ran past its timeout of 10m: set timeout: 20m"],
    [{ signal: "SIGKILL", limit: "disk" }, "disk", "stopped at its disk limit of 10Gi: set disk: 20Gi"],
    [{ exitCode: 153 }, "disk", "stopped at its disk limit of 10Gi: set disk: 20Gi"],
    [{ signal: "SIGXFSZ" }, "disk", "stopped at its disk limit of 10Gi: set disk: 20Gi"],
    [
      { signal: "SIGKILL", limit: "files" },
      "files",
      "stopped at its limit of 100000 files: write fewer, or pack them into an archive",
    ],
    [{ exitCode: 2, limit: "pids" }, "pids", "stopped at its limit of 2048 processes and threads: start fewer at once"],
    [
      { exitCode: 0, limit: "memory" },
      "memory",
      "killed at its memory limit of 256Mi (peak 255.5Mi): set memory: 512Mi",
    ],
  ])("of %j is %s", (over, outcome, message) => {
    expect(scriptEnd(exec(over), LIMITS, "oh no")).toMatchObject({ outcome, message, exitCode: over.exitCode ?? null });
  });

  it("says when there is no log, and no peak", () => {
    expect(scriptEnd(exec({ exitCode: 3 }), LIMITS, "").message).toBe("exited with 3; its log is empty");
    const unmeasured = { limit: "memory" as const, usage: { wallMs: 1, cpuMs: null, memoryPeakBytes: null } };
    expect(scriptEnd(exec(unmeasured), LIMITS, "").message).toBe(
      "killed at its memory limit of 256Mi: set memory: 512Mi",
    );
  });
});

describe("abortedEnd", () => {
  it("is never success, whatever the script made of the signal", () => {
    expect(abortedEnd("cancelled", exec({ exitCode: 0 }))).toMatchObject({ outcome: "cancelled", exitCode: 0 });
    expect(abortedEnd("stopped", null)).toMatchObject({ outcome: "stopped", exitCode: null, signal: null });
  });
});

describe("LastLine", () => {
  const last = (chunks: string[], secrets: string[] = []): string => {
    const line = new LastLine();
    for (const chunk of chunks) line.add(Buffer.from(chunk));
    return line.text(secrets);
  };

  it.each([
    [["one\ntwo\n"], "two"],
    [["one\ntw", "o\n\n  \n"], "two"],
    [["progress 1%\rprogress 99%\r"], "progress 99%"],
    [["\u001b[31mred\u001b[0m\n"], "[31mred [0m"],
    [[], ""],
    [["x".repeat(5000)], `…${"x".repeat(200)}`],
    [["a\n".repeat(3000), "end"], "end"],
  ])("of %j is %j", (chunks, expected) => {
    expect(last(chunks)).toBe(expected);
  });

  it("hides secrets", () => {
    expect(last(["curl -H 'Key: hunter2' hunter2\n"], ["hunter2", ""])).toBe("curl -H 'Key: ***' ***");
  });

  it("hides the lines of a secret that has several, and is silent where one could be cut", () => {
    expect(last(["key: BBBBBBBBBB\n"], ["-----\nAAAAAAAAAA\nBBBBBBBBBB\n"])).toBe("key: ***");
    const long = "s".repeat(3000);
    expect(last([`${long}${long}\n`], [long])).toBe("");
  });

  it("knows whether a line is open", () => {
    const line = new LastLine();
    expect(line.isOpen).toBe(false);
    line.add(Buffer.from("x"));
    expect(line.isOpen).toBe(true);
    line.add(Buffer.from("\n"));
    expect(line.isOpen).toBe(false);
  });
});
