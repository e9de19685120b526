import { afterEach, beforeEach, expect, it } from "vitest";
import type { Attempt } from "../../core/job.ts";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { jobOf, NOW } from "../testing/samples.ts";

let server: FakeServer;
beforeEach(() => {
  server = fakeServer();
  const { jobs, attempts } = server.state.tables;
  for (const job of [
    jobOf("q1"),
    jobOf("r1", { state: "RUNNING", attempt: 2, startedAt: NOW + 5 }),
    jobOf("f1", {
      state: "FAILED",
      reason: "exit",
      message: "the script ended with exit code 3",
      attempt: 1,
      exitCode: 3,
      startedAt: NOW,
      endedAt: NOW + 1000,
      input: { bucket: "photos", key: "in/ä.jpg", versionSeq: 4 },
      usage: { wallMs: 900, cpuMs: null, memoryPeakBytes: 5, inputBytes: 3, outputBytes: 0, outputFiles: 0 },
    }),
    jobOf("other", { service: "docs" }),
  ]) {
    jobs.set(job.id, job);
  }
  attempts.set("f1", [ATTEMPT]);
});
afterEach(() => server.close());

const ATTEMPT: Attempt = {
  jobId: "f1",
  number: 1,
  state: "ENDED",
  worker: "local",
  leasedAt: NOW,
  startedAt: NOW + 1,
  endedAt: NOW + 1000,
  outcome: "exit",
  message: "the script ended with exit code 3",
  exitCode: 3,
  signal: null,
  usage: null,
  grants: { resources: { cpu: 500 }, devices: [] },
};

const get = async (url: string) => (await server.inject({ url, headers: AS.ada })).json();
const call = (method: "POST" | "DELETE", url: string) => server.inject({ method, url, headers: AS.ada });

it("lists by service and states, page after page", async () => {
  const ids = async (query: string) => (await get(`/system/jobs?${query}`)).jobs.map(({ id }: { id: string }) => id);
  expect(await ids("service=docs")).toEqual(["other"]);
  expect(await ids("state=running,FAILED")).toEqual(["r1", "f1"]);
  const first = await get("/system/jobs?limit=3");
  expect(first.next).toBe("f1");
  expect(await get(`/system/jobs?limit=3&after=${first.next}`)).toMatchObject({ jobs: [{ id: "other" }], next: null });
});

it("passes since and run on", async () => {
  const asked: unknown[] = [];
  server.deps.jobs.list = async (_by, query) => {
    asked.push(query);
    return { jobs: [], next: null };
  };
  await get("/system/jobs?since=2026-02-03T04:05:06%2B01:00&run=monday");
  expect(asked).toEqual([{ limit: 100, since: Date.UTC(2026, 1, 3, 3, 5, 6), runName: "monday" }]);
});

it("shows a job whole, in OSCAR's words too", async () => {
  expect(await get("/system/jobs/f1")).toMatchObject({
    id: "f1",
    state: "FAILED",
    status: "Failed",
    reason: "exit",
    exit_code: 3,
    input: { bucket: "photos", key: "in/ä.jpg", version: 4 },
    created_at: "2023-11-14T22:13:20.000Z",
    ended_at: "2023-11-14T22:13:21.000Z",
    usage: { wall_ms: 900, cpu_ms: null },
    waits_for: "the workers are busy",
    attempts: [{ number: 1, outcome: "exit", resources: { cpu: 500 }, leased_at: "2023-11-14T22:13:20.000Z" }],
    outputs: [],
  });
  expect((await get("/system/jobs/q1")).status).toBe("Pending");
  expect((await get("/system/jobs/r1")).status).toBe("Running");
});

it("cancels what has not ended, and says 409 of what has", async () => {
  expect((await call("POST", "/system/jobs/r1/cancel")).json()).toMatchObject({ id: "r1", state: "CANCELLED" });
  const again = await call("POST", "/system/jobs/r1/cancel");
  expect([again.statusCode, again.json().code]).toEqual([409, "JOB_STATE"]);
});

it("retries what has ended by a new job, and says where that is", async () => {
  const response = await call("POST", "/system/jobs/f1/retry");
  expect([response.statusCode, response.headers.location]).toEqual([201, "/system/jobs/f1-again"]);
  expect(response.json()).toMatchObject({ id: "f1-again", retry_of: "f1", state: "QUEUED" });
  expect((await call("POST", "/system/jobs/q1/retry")).statusCode).toBe(409);
});

it("removes finished jobs only", async () => {
  const running = await call("DELETE", "/system/jobs/r1");
  expect([running.statusCode, running.json().code]).toEqual([409, "JOB_STATE"]);
  const done = await call("DELETE", "/system/jobs/f1");
  expect([done.statusCode, done.body]).toEqual([204, ""]);
  expect((await call("DELETE", "/system/jobs/f1")).statusCode).toBe(404);
});

it("shows no log of an attempt that never was", async () => {
  for (const [url, status] of [
    ["/system/jobs/f1/logs?attempt=1", 200],
    ["/system/jobs/f1/logs?attempt=2", 404],
    ["/system/jobs/f1/logs?attempt=2&follow=true", 404],
  ] as const)
    expect((await server.inject({ url, headers: AS.ada })).statusCode, url).toBe(status);
});
