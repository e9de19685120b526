import { constants } from "node:os";
import type { AttemptResult, Reason, Usage } from "../core/job.ts";
import { formatBytes } from "../core/resources.ts";
import { formatDuration } from "../lib/duration.ts";
import type { ExecResult, SandboxLimits } from "../sandbox/sandbox.ts";
import type { AbortReason } from "./attempt-host.ts";

/** How a script ended, before its outputs are looked at. */
export type ScriptEnd = Pick<AttemptResult, "outcome" | "message" | "exitCode" | "signal">;

/** Reads the sandbox's result: one reason, and one sentence that says what to do.
 *  @param lastLine of the log, free of secrets */
export function scriptEnd(exec: ExecResult, limits: SandboxLimits, lastLine: string): ScriptEnd {
  const base = { exitCode: exec.exitCode, signal: exec.signal };
  const limit = overLimit(exec, limits);
  if (limit !== null) return { ...base, ...limit };
  if (exec.signal !== null)
    return { ...base, outcome: "signal", message: withLog(`killed by ${exec.signal}`, lastLine) };
  if (exec.exitCode === 0) return { ...base, outcome: "ok", message: "" };
  return { ...base, outcome: "exit", message: withLog(exitSentence(exec.exitCode), lastLine) };
}

/** The end of an attempt that was ended from outside, whatever its script made of it. */
export function abortedEnd(reason: AbortReason, exec: Pick<ExecResult, "exitCode" | "signal"> | null): ScriptEnd {
  const messages: Record<AbortReason, string> = {
    cancelled: "cancelled while it ran",
    stopped: "stopped with the server: it runs again when the server does",
    lost: "stopped as its lease was lost: it runs again",
  };
  return { outcome: reason, message: messages[reason], exitCode: exec?.exitCode ?? null, signal: exec?.signal ?? null };
}

export function failedEnd(
  outcome: Reason,
  message: string,
  exec: Pick<ExecResult, "exitCode" | "signal"> | null,
): ScriptEnd {
  return { outcome, message, exitCode: exec?.exitCode ?? null, signal: exec?.signal ?? null };
}

export function attemptUsage(
  exec: ExecResult | null,
  inputBytes: number,
  outputs: { bytes: number; files: number },
): Usage {
  return {
    wallMs: exec?.usage.wallMs ?? 0,
    cpuMs: exec?.usage.cpuMs ?? null,
    memoryPeakBytes: exec?.usage.memoryPeakBytes ?? null,
    inputBytes,
    outputBytes: outputs.bytes,
    outputFiles: outputs.files,
  };
}

function overLimit(exec: ExecResult, limits: SandboxLimits): { outcome: Reason; message: string } | null {
  switch (exec.limit) {
    case null:
      return overFileSize(exec) ? diskEnd(limits) : null;
    case "memory":
      return { outcome: "memory", message: memorySentence(limits.memoryBytes, exec.usage.memoryPeakBytes) };
    case "wall":
      return { outcome: "timeout", message: timeoutSentence(limits.wallMs) };
    case "disk":
      return diskEnd(limits);
    case "files":
      return {
        outcome: "files",
        message: `stopped at its limit of ${limits.files} files: write fewer, or pack them into an archive`,
      };
    case "pids":
      return {
        outcome: "pids",
        message: `stopped at its limit of ${limits.pids} processes and threads: start fewer at once`,
      };
  }
}

function memorySentence(limitBytes: number, peakBytes: number | null): string {
  const peak = peakBytes === null ? "" : ` (peak ${formatBytes(peakBytes)})`;
  return `killed at its memory limit of ${formatBytes(limitBytes)}${peak}: set memory: ${formatBytes(limitBytes * 2)}`;
}

function timeoutSentence(wallMs: number | null): string {
  if (wallMs === null) return "ran past its timeout";
  return `ran past its timeout of ${formatDuration(wallMs)}: set timeout: ${formatDuration(wallMs * 2)}`;
}

function diskEnd(limits: SandboxLimits): { outcome: Reason; message: string } {
  const { diskBytes } = limits;
  return {
    outcome: "disk",
    message: `stopped at its disk limit of ${formatBytes(diskBytes)}: set disk: ${formatBytes(diskBytes * 2)}`,
  };
}

/** The largest file is limited to the disk allowance: SIGXFSZ meets the program that went over, and its shell reports 128 + 25. */
function overFileSize(exec: ExecResult): boolean {
  return exec.signal === "SIGXFSZ" || exec.exitCode === 128 + constants.signals.SIGXFSZ;
}

function exitSentence(code: number | null): string {
  if (code === 126) return "exited with 126: a program of the script cannot be executed";
  if (code === 127) return "exited with 127: a program of the script was not found in the image";
  const signal = code === null ? null : signalOfShell(code);
  return signal === null
    ? `exited with ${code}`
    : `exited with ${code}: a program of the script was ended by ${signal}`;
}

/** Shells report a program that a signal ended as 128 + its number. */
function signalOfShell(code: number): string | null {
  const found = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return found?.[0] ?? null;
}

const withLog = (sentence: string, lastLine: string): string =>
  lastLine === "" ? `${sentence}; its log is empty` : `${sentence}; the last line of its log: ${lastLine}`;
