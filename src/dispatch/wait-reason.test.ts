import { describe, expect, it } from "vitest";
import type { Waiting } from "../scheduler/scheduler.ts";
import type { QueueBook } from "./queue-book.ts";
import { type WaitFacts, waitReason } from "./wait-reason.ts";

const waiting = (jobId: string, because: Waiting["because"], service = "a"): Waiting => ({
  service,
  jobId,
  because,
  lacking: [],
  running: 0,
  limit: null,
  overtaken: 0,
});

function facts(place: ReturnType<QueueBook["place"]>, over: Partial<WaitFacts> = {}): WaitFacts {
  return { waiting: [], book: { place: () => place, queued: () => 70 }, full: false, ...over };
}

describe("waitReason", () => {
  const large = waiting("a-1", "too_large");
  const first = waiting("a-2", "capacity");
  const plan = [large, first, waiting("b-1", "slots", "b")];

  it("says of a job what the plan said of it", () => {
    expect(waitReason(facts("head", { waiting: plan }), "a", "a-1")).toBe(large);
    expect(waitReason(facts("unknown", { waiting: plan }), "a", "a-2")).toBe(first);
  });

  it("says of a job behind others what holds up the first, but not what is too large alone", () => {
    expect(waitReason(facts("head", { waiting: plan }), "a", "a-3")).toBe(first);
    expect(waitReason(facts("behind", { waiting: plan }), "a", "a-99")).toBe(first);
    expect(waitReason(facts("head", { waiting: [large] }), "a", "a-3")).toBeNull();
  });

  it("tells jobs that wait for an earlier one on their key, and for their turn", () => {
    expect(waitReason(facts("blocked", { waiting: plan }), "a", "a-4")).toEqual({ because: "order" });
    expect(waitReason(facts("behind"), "a", "a-99")).toEqual({ because: "turn", queued: 70 });
  });

  it("says that all is busy while nothing is read, and nothing when it does not know", () => {
    expect(waitReason(facts("unknown", { full: true }), "c", "c-1")).toEqual({ because: "busy" });
    expect(waitReason(facts("head", { full: true }), "c", "c-1")).toEqual({ because: "busy" });
    expect(waitReason(facts("unknown"), "c", "c-1")).toBeNull();
    expect(waitReason(facts("head"), "c", "c-1")).toBeNull();
  });
});
