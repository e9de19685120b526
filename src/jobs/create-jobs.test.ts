import { describe, expect, it, vi } from "vitest";
import { type Job, NO_USAGE } from "../core/job.ts";
import type { Principal } from "../core/principal.ts";
import type { WaitReason } from "../dispatch/dispatch.ts";
import { silentLog } from "../lib/log.ts";
import { createJobs, type JobsOptions } from "./create-jobs.ts";

const who = (subject: string, scopes: string[] = []): Principal => ({
  issuer: "local",
  subject,
  groups: [],
  scopes,
  via: "basic",
});
const [admin, ada, bob] = [who("cluster_admin", ["admin"]), who("ada"), who("bob")];
const lease = { jobId: "thumbs-1", attempt: 1, worker: "local" };

const JOB: Job = {
  id: "thumbs-1",
  service: "thumbs",
  revisionId: "rev-1",
  owner: "ada",
  state: "QUEUED",
  reason: null,
  message: "",
  priority: 0,
  runName: null,
  eventId: "e",
  rootEventId: "e",
  parentJobId: null,
  hops: 0,
  retryOf: null,
  input: null,
  inputBytes: 0,
  createdAt: 0,
  notBefore: 0,
  startedAt: null,
  endedAt: null,
  attempt: 0,
  counts: { scriptFailures: 0, infrastructureEnds: 0, uncleanStops: 0 },
  exitCode: null,
  signal: null,
  usage: NO_USAGE,
  replacedOutputs: 0,
  outputCount: 0,
};

function setup(job: Partial<Job> = {}, reason: WaitReason | null = null, draining = false) {
  const row = { ...JOB, ...job };
  const calls = {
    cancelJob: vi.fn(async () => ({ job: { ...row, state: "CANCELLED" as const }, running: lease })),
    retryJob: vi.fn(async () => ({ ...row, id: "thumbs-2", retryOf: row.id })),
    deleteJob: vi.fn(async () => {}),
    stopAttempt: vi.fn(async () => {}),
    removeLogs: vi.fn(async () => {}),
    jobs: vi.fn(async () => ({ jobs: [row], next: null })),
    enqueue: vi.fn(async () => row),
  };
  const options: JobsOptions = {
    state: {
      ...calls,
      job: async (id) => (id === row.id ? row : null),
      attempts: async () => [],
      jobOutputs: async () => [],
      jobEvent: async () => null,
      service: async (name) => (name === "thumbs" ? ({ name, owner: "ada" } as never) : null),
    },
    dispatcher: {
      stopAttempt: calls.stopAttempt,
      reason: () => reason,
      view: () => ({ workers: [], waiting: [], draining }),
    },
    logs: { remove: calls.removeLogs },
    clock: { now: () => 1000, monotonicMs: () => 0 },
    log: silentLog,
  };
  return { calls, jobs: createJobs(options) };
}

const submission = { service: "thumbs", event: {} as never, body: null, runName: null, priority: 0 };

describe("whose jobs", () => {
  it("shows and changes a job for its owner and the admin; for others there is none", async () => {
    const { jobs, calls } = setup();
    expect((await jobs.get(ada, JOB.id)).job.id).toBe(JOB.id);
    expect((await jobs.get(admin, JOB.id)).job.id).toBe(JOB.id);
    const unknown = await jobs.get(bob, "thumbs-9").catch((error) => error);
    const forbidden = await jobs.get(bob, JOB.id).catch((error) => error);
    expect([forbidden.code, forbidden.message.replace("thumbs-1", "X")]).toEqual([
      unknown.code,
      unknown.message.replace("thumbs-9", "X"),
    ]);
    for (const act of [jobs.cancel, jobs.retry, jobs.remove, jobs.event]) {
      await expect(act(bob, JOB.id)).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    }
    expect([calls.cancelJob, calls.retryJob, calls.deleteJob].every((call) => call.mock.calls.length === 0)).toBe(true);
  });

  it("lists what is one's own, and all for the admin", async () => {
    const { jobs, calls } = setup();
    await jobs.list(ada, { limit: 5 });
    await jobs.list(admin, { limit: 5 });
    expect(calls.jobs.mock.calls).toEqual([[{ limit: 5, owner: "ada" }], [{ limit: 5, owner: null }]]);
  });

  it("lists nothing for the token of a service that is named like a user", async () => {
    const { jobs, calls } = setup();
    for (const issuer of ["service", "job"]) {
      await expect(jobs.list({ ...ada, issuer }, { limit: 5 })).rejects.toMatchObject({ code: "FORBIDDEN" });
    }
    expect(calls.jobs).not.toHaveBeenCalled();
  });

  it("takes calls of services that one may call, and tells others nothing", async () => {
    const { jobs, calls } = setup();
    await jobs.submit(ada, submission);
    expect(calls.enqueue).toHaveBeenCalledExactlyOnceWith({ by: ada, ...submission });
    await expect(jobs.submit(bob, submission)).rejects.toMatchObject({ code: "SERVICE_UNKNOWN" });
    await expect(jobs.submit(ada, { ...submission, service: "else" })).rejects.toMatchObject({
      code: "SERVICE_UNKNOWN",
    });
  });
});

describe("changing a job", () => {
  it("cancels at once and stops the attempt behind it", async () => {
    const { jobs, calls } = setup({ state: "RUNNING" });
    calls.stopAttempt.mockReturnValue(new Promise(() => {}));
    expect((await jobs.cancel(ada, JOB.id)).state).toBe("CANCELLED");
    expect(calls.stopAttempt).toHaveBeenCalledExactlyOnceWith(lease);
  });

  it("answers a cancel although the attempt cannot be stopped", async () => {
    const { jobs, calls } = setup({ state: "RUNNING" });
    calls.stopAttempt.mockRejectedValue(new Error("no cgroup"));
    expect((await jobs.cancel(ada, JOB.id)).state).toBe("CANCELLED");
  });

  it("stops nothing when the cancelled job did not run", async () => {
    const { jobs, calls } = setup();
    calls.cancelJob.mockResolvedValue({ job: { ...JOB, state: "CANCELLED" }, running: null as never });
    await jobs.cancel(ada, JOB.id);
    expect(calls.stopAttempt).not.toHaveBeenCalled();
  });

  it("has removed a job although its log files stay", async () => {
    const { jobs, calls } = setup({ state: "FAILED" });
    calls.removeLogs.mockRejectedValue(new Error("busy"));
    await jobs.remove(ada, JOB.id);
    expect(calls.deleteJob).toHaveBeenCalledOnce();
  });

  it("removes only finished jobs, and their logs with them", async () => {
    await expect(setup({ state: "RUNNING" }).jobs.remove(ada, JOB.id)).rejects.toMatchObject({ code: "JOB_STATE" });
    const { jobs, calls } = setup({ state: "FAILED" });
    await jobs.remove(ada, JOB.id);
    expect(calls.deleteJob).toHaveBeenCalledOnce();
    expect(calls.removeLogs).toHaveBeenCalledExactlyOnceWith([JOB.id]);
  });

  it("takes nothing new while the server stops, but still cancels", async () => {
    const { jobs } = setup({}, null, true);
    await expect(jobs.submit(ada, submission)).rejects.toMatchObject({ code: "STOPPING" });
    await expect(jobs.retry(ada, JOB.id)).rejects.toMatchObject({ code: "STOPPING" });
    expect((await jobs.cancel(ada, JOB.id)).state).toBe("CANCELLED");
  });
});

describe("why a job waits", () => {
  const waiting = { service: "thumbs", jobId: JOB.id, lacking: [], running: 0, limit: null, overtaken: 0 };
  const short = [
    { name: "memory", need: 2 * 1024 ** 3, free: 512 * 1024 ** 2 },
    { name: "cpu", need: 1500, free: 200 },
  ];
  const cases: ReadonlyArray<[WaitReason, RegExp]> = [
    [{ because: "order" }, /earlier job on the same input key/],
    [{ because: "busy" }, /free place/],
    [{ because: "turn", queued: 12 }, /12 jobs/],
    [{ because: "draining" }, /stopping/],
    [{ ...waiting, because: "concurrency", running: 4, limit: 4 }, /4 of at most 4/],
    [
      { ...waiting, because: "capacity", lacking: short },
      /memory: it needs 2Gi, 512Mi are free and cpu: it needs 1.5, 0.2 are free/,
    ],
    [{ ...waiting, because: "too_large", lacking: short }, /never start here: memory: it needs 2Gi, 512Mi is the most/],
    [{ ...waiting, because: "no_worker" }, /worker/],
    [{ ...waiting, because: "reserved" }, /waited longer/],
  ];
  it.each(cases)("%j", async (reason, sentence) => {
    expect((await setup({}, reason).jobs.get(ada, JOB.id)).waitsFor).toMatch(sentence);
  });

  it("names the time while it backs off, and nothing once it runs", async () => {
    expect((await setup({ notBefore: 61_000, attempt: 1 }).jobs.get(ada, JOB.id)).waitsFor).toBe(
      "waits until 1970-01-01T00:01:01.000Z before attempt 2",
    );
    expect((await setup({ state: "RUNNING" }, { because: "order" }).jobs.get(ada, JOB.id)).waitsFor).toBeNull();
    expect((await setup({}, null).jobs.get(ada, JOB.id)).waitsFor).toBeNull();
  });
});
