import { describe, expect, it } from "vitest";
import {
  type AttemptCounts,
  afterAttempt,
  isTerminal,
  MAX_INFRASTRUCTURE_ENDS,
  MAX_UNCLEAN_STOPS,
  mayEndLate,
  type Reason,
} from "./job.ts";

const NONE: AttemptCounts = { scriptFailures: 0, infrastructureEnds: 0, uncleanStops: 0 };
const SCRIPT: Reason[] = [
  "exit",
  "signal",
  "timeout",
  "memory",
  "disk",
  "files",
  "pids",
  "output_name",
  "output_conflict",
  "output_invalid",
];

describe("what a job does after an attempt that did not succeed", () => {
  it.each(SCRIPT)("fails at once by default after %s", (reason) => {
    expect(afterAttempt(reason, NONE, 1)).toEqual({ next: "fail", reason, counts: { ...NONE, scriptFailures: 1 } });
  });

  it("tries again while script failures are fewer than max_attempts", () => {
    expect(afterAttempt("exit", NONE, 3)).toMatchObject({ next: "retry", backoffExponent: 1 });
    expect(afterAttempt("exit", { ...NONE, scriptFailures: 1 }, 3)).toMatchObject({
      next: "retry",
      backoffExponent: 2,
    });
    expect(afterAttempt("exit", { ...NONE, scriptFailures: 2 }, 3)).toMatchObject({ next: "fail", reason: "exit" });
  });

  it.each(["lost", "infrastructure"] as const)(
    "repeats %s at most five times, uncounted as script failure",
    (reason) => {
      let counts = NONE;
      for (let n = 1; n <= MAX_INFRASTRUCTURE_ENDS; n++) {
        const after = afterAttempt(reason, counts, 1);
        expect(after).toMatchObject({ next: "retry", backoffExponent: n });
        counts = after.counts;
      }
      expect(counts.scriptFailures).toBe(0);
      expect(afterAttempt(reason, counts, 1)).toMatchObject({ next: "fail", reason });
    },
  );

  it("never counts a clean stop, and calls the tenth unclean one poison", () => {
    expect(afterAttempt("stopped", NONE, 1, true)).toEqual({ next: "retry", backoffExponent: 0, counts: NONE });
    const before = { ...NONE, uncleanStops: MAX_UNCLEAN_STOPS - 2 };
    const ninth = afterAttempt("stopped", before, 1, false);
    expect(ninth.next).toBe("retry");
    expect(afterAttempt("stopped", ninth.counts, 1, false)).toMatchObject({ next: "fail", reason: "poison" });
  });

  it("ends for good when cancelled, looping or poisoned", () => {
    expect(afterAttempt("cancelled", NONE, 9).next).toBe("cancel");
    expect(afterAttempt("loop", NONE, 9)).toMatchObject({ next: "fail", reason: "loop" });
    expect(afterAttempt("poison", NONE, 9)).toMatchObject({ next: "fail", reason: "poison" });
  });
});

it("knows the three states that nothing leaves", () => {
  const states = ["QUEUED", "RUNNING", "DELIVERING", "SUCCEEDED", "FAILED", "CANCELLED"] as const;
  expect(states.filter(isTerminal)).toEqual(["SUCCEEDED", "FAILED", "CANCELLED"]);
});

it("lets a lost attempt end late by what its script did, and by nothing else", () => {
  for (const late of ["ok", ...SCRIPT] as const) expect(mayEndLate("lost", late)).toBe(true);
  for (const late of ["lost", "infrastructure", "stopped", "cancelled"] as const)
    expect(mayEndLate("lost", late)).toBe(false);
  for (const ended of ["ok", "exit", "stopped", "infrastructure", null] as const)
    expect(mayEndLate(ended, "ok")).toBe(false);
});
