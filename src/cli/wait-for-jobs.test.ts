import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeJobs, job } from "./testing/fake-jobs.ts";
import { isJobOf, waitForJobs, waitForQuiet } from "./wait-for-jobs.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The answer of a wait that something else must end. */
async function outcome<T>(waiting: Promise<T>): Promise<T | "still waiting"> {
  return Promise.race([waiting, vi.advanceTimersByTimeAsync(0).then(() => "still waiting" as const)]);
}

const nothing = (): void => {};

describe("waitForJobs", () => {
  it("returns at once for jobs that have ended", async () => {
    const jobs = new FakeJobs();
    jobs.set(job({ id: "a", state: "SUCCEEDED" }));
    jobs.set(job({ id: "b", state: "FAILED", reason: "exit", message: "exit code 7" }));
    const tally = await waitForJobs(jobs, ["a", "b", "a"], nothing);
    expect(tally.summary()).toBe("2 jobs: 1 succeeded, 1 failed");
    expect(tally.good).toBe(false);
    expect(tally.failures()).toEqual(["b failed: exit code 7 (see: sluice logs b)"]);
  });

  it("looks again when the stream says that a job changed, at that job only", async () => {
    const jobs = new FakeJobs();
    for (const id of ["a", "b", "other"]) jobs.set(job({ id }));
    const seen: string[] = [];
    const waiting = waitForJobs(jobs, ["a", "b"], ({ ended, known }) => seen.push(`${ended}/${known}`));
    expect(await outcome(waiting)).toBe("still waiting");
    expect(jobs.calls.job).toBe(2);
    jobs.end("other");
    expect(await outcome(waiting)).toBe("still waiting");
    expect(jobs.calls.job).toBe(2);
    jobs.end("a");
    expect(await outcome(waiting)).toBe("still waiting");
    expect(jobs.calls.job).toBe(3);
    jobs.end("b", { state: "CANCELLED" });
    const tally = await waiting;
    expect(tally.summary()).toBe("2 jobs: 1 succeeded, 1 cancelled");
    expect(tally.good).toBe(false);
    expect(seen.at(-1)).toBe("2/2");
  });

  it("polls while there is no stream", async () => {
    const jobs = new FakeJobs();
    jobs.streamWorks = false;
    jobs.set(job({ id: "a" }));
    const waiting = waitForJobs(jobs, ["a"], nothing);
    expect(await outcome(waiting)).toBe("still waiting");
    jobs.end("a");
    await vi.advanceTimersByTimeAsync(6000);
    expect((await waiting).succeeded).toBe(1);
    expect(jobs.calls.changes).toBeGreaterThan(0);
  });

  it("finds a change that fell before the stream began", async () => {
    const jobs = new FakeJobs();
    jobs.set(job({ id: "a" }));
    const waiting = waitForJobs(jobs, ["a"], nothing);
    expect(await outcome(waiting)).toBe("still waiting");
    jobs.all.set("a", job({ id: "a", state: "SUCCEEDED" }));
    await vi.advanceTimersByTimeAsync(5000);
    expect((await waiting).succeeded).toBe(1);
  });

  it("says so when there is no such job", async () => {
    await expect(waitForJobs(new FakeJobs(), ["gone"], nothing)).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
  });
});

describe("waitForQuiet", () => {
  const at = (second: number): { created_at: string } => ({
    created_at: new Date(Date.UTC(2026, 2, 5, 14, 0, second)).toISOString(),
  });

  it("waits for the jobs that other jobs start, and counts both", async () => {
    const jobs = new FakeJobs();
    jobs.set(job({ id: "old", state: "FAILED", ...at(0) }));
    jobs.set(job({ id: "a", ...at(1) }));
    const waiting = waitForQuiet(jobs, {}, nothing);
    expect(await outcome(waiting)).toBe("still waiting");
    jobs.set(job({ id: "b", service: "stats", ...at(2) }));
    jobs.end("a");
    await vi.advanceTimersByTimeAsync(1000);
    expect(await outcome(waiting)).toBe("still waiting");
    jobs.end("b", { replaced_outputs: 2 });
    await vi.advanceTimersByTimeAsync(1000);
    const tally = await waiting;
    expect(tally.summary()).toBe("2 jobs: 2 succeeded");
    expect(tally.replacements()).toEqual([expect.stringContaining('Service "stats" replaced 2 outputs of other jobs')]);
  });

  it("looks at one service only", async () => {
    const jobs = new FakeJobs();
    jobs.set(job({ id: "a", service: "stats", ...at(0) }));
    const waiting = waitForQuiet(jobs, { service: "thumbs" }, nothing);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await waiting).summary()).toBe("0 jobs: 0 succeeded");
  });

  it("counts older jobs from a time on", async () => {
    const jobs = new FakeJobs();
    jobs.pageSize = 1;
    jobs.set(job({ id: "older", state: "FAILED", ...at(0) }));
    jobs.set(job({ id: "old", state: "FAILED", ...at(5) }));
    jobs.set(job({ id: "new", state: "SUCCEEDED", ...at(6) }));
    const waiting = waitForQuiet(jobs, { since: at(5).created_at }, nothing);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await waiting).summary()).toBe("2 jobs: 1 succeeded, 1 failed");
  });
});

it.each([
  ["thumbs-0d9c3f1e-0000-4000-8000-000000000001", "thumbs", true],
  ["thumbs-2-0d9c3f1e-0000-4000-8000-000000000001", "thumbs", false],
  ["a-very-long-serv-0d9c3f1e-0000-4000-8000-000000000001", "a-very-long-service-name-indeed", true],
  ["a-very-long-serv-0d9c3f1e-0000-4000-8000-000000000001", "a-very-long-serv", true],
])("%s is a job of %s: %s", (id, service, yes) => expect(isJobOf(id, service)).toBe(yes));
