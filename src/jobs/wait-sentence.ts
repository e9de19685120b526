import { formatBytes } from "../core/resources.ts";
import type { WaitReason } from "../dispatch/dispatch.ts";
import type { Shortage } from "../scheduler/scheduler.ts";

/** Why a queued job waits, for the person who waits with it: the limit, what is needed and what is free. */
export function waitSentence(reason: WaitReason): string {
  switch (reason.because) {
    case "order":
      return "waits for an earlier job on the same input key: these run in order";
    case "busy":
    case "slots":
      return "waits for a free place: all are taken";
    case "draining":
      return "waits for the next start of the server, which is stopping";
    case "turn":
      return `waits for its turn: ${reason.queued} jobs of its service are queued`;
    case "reserved":
      return "waits for its turn: the free room is kept for a job that has waited longer";
    case "no_worker":
      return "waits for a worker: there is none";
    case "concurrency":
      return `waits for its service's limit: ${reason.running} of at most ${reason.limit ?? reason.running} jobs of it run (concurrency)`;
    case "capacity":
      return `waits for ${reason.lacking.map((short) => shortage(short, "are free")).join(" and ")}`;
    case "too_large":
      return `can never start here: ${reason.lacking.map((short) => shortage(short, "is the most there is")).join(" and ")} (ask for less, or add a worker)`;
  }
}

function shortage({ name, need, free }: Shortage, which: string): string {
  return `${name}: it needs ${amount(name, need)}, ${amount(name, free)} ${which}`;
}

function amount(name: string, value: number): string {
  if (name === "cpu") return String(value / 1000);
  return name === "memory" || name === "disk" ? formatBytes(value) : String(value);
}
