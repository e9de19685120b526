import { afterEach, beforeEach, expect, it } from "vitest";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { serviceRecord } from "../testing/fake-state.ts";
import { jobOf, NOW, specOf } from "../testing/samples.ts";

let server: FakeServer;
beforeEach(() => {
  server = fakeServer();
  server.state.tables.services.set("thumbs", serviceRecord(specOf("thumbs"), "ada"));
});
afterEach(() => server.close());

const add = (...jobs: ReturnType<typeof jobOf>[]): void => {
  for (const job of jobs) server.state.tables.jobs.set(job.id, job);
};
const get = (url: string) => server.inject({ url, headers: AS.ada });
const remove = (url: string) => server.inject({ method: "DELETE", url, headers: AS.ada });

it("lists jobs as OSCAR does, with the times they have", async () => {
  add(
    jobOf("q"),
    jobOf("c", { state: "CANCELLED", endedAt: NOW }),
    jobOf("s", { state: "SUCCEEDED", startedAt: NOW + 1, endedAt: NOW + 2 }),
  );
  expect((await get("/system/logs/thumbs")).json()).toEqual({
    jobs: {
      q: { status: "Pending", creation_time: "2023-11-14T22:13:20.000Z" },
      c: { status: "Failed", creation_time: "2023-11-14T22:13:20.000Z", finish_time: "2023-11-14T22:13:20.000Z" },
      s: {
        status: "Succeeded",
        creation_time: "2023-11-14T22:13:20.000Z",
        start_time: "2023-11-14T22:13:20.001Z",
        finish_time: "2023-11-14T22:13:20.002Z",
      },
    },
    next_page: "",
    remaining_jobs: 0,
  });
});

it("pages by 70 and says how many remain", async () => {
  add(...Array.from({ length: 150 }, (_, at) => jobOf(`j${at}`)));
  const seen: string[] = [];
  const remaining: number[] = [];
  let page = "";
  do {
    const answer = (await get(`/system/logs/thumbs?page=${page}`)).json();
    seen.push(...Object.keys(answer.jobs));
    remaining.push(answer.remaining_jobs);
    page = answer.next_page;
  } while (page !== "");
  expect(remaining).toEqual([80, 10, 0]);
  expect(new Set(seen).size).toBe(150);
});

it.each(["zzz", "****", "MTIzNA"])("refuses the page token %s, which it did not make", async (page) => {
  const response = await get(`/system/logs/thumbs?page=${page}`);
  expect([response.statusCode, response.headers["sluice-error-code"]]).toEqual([400, "REQUEST_INVALID"]);
});

it("gives the latest attempt's log as text that no browser runs", async () => {
  add(jobOf("s", { state: "SUCCEEDED", attempt: 2 }));
  server.logs.set("s/1", [{ at: NOW, bytes: Buffer.from("first try\n") }]);
  server.logs.set("s/2", [{ at: NOW, bytes: Buffer.from("<script>x</script>\n") }]);
  const response = await get("/system/logs/thumbs/s");
  expect(response.body).toBe("<script>x</script>\n");
  expect(response.headers).toMatchObject({
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
  });
  const timed = await get("/system/logs/thumbs/s?timestamps=true");
  expect(timed.body).toBe("2023-11-14T22:13:20.000Z <script>x</script>\n");
});

it("knows a job only under its own service", async () => {
  add(jobOf("d", { service: "docs", state: "SUCCEEDED" }));
  for (const response of [await get("/system/logs/thumbs/d"), await remove("/system/logs/thumbs/d")]) {
    expect([response.statusCode, response.headers["sluice-error-code"]]).toEqual([404, "JOB_UNKNOWN"]);
  }
  expect(server.state.tables.jobs.has("d")).toBe(true);
});

it("removes those that succeeded, or with all every one, ending those that run", async () => {
  add(jobOf("r", { state: "RUNNING" }), jobOf("f", { state: "FAILED" }), jobOf("s", { state: "SUCCEEDED" }));
  add(jobOf("d", { service: "docs", state: "SUCCEEDED" }));
  expect((await remove("/system/logs/thumbs")).statusCode).toBe(204);
  expect([...server.state.tables.jobs.keys()]).toEqual(["r", "f", "d"]);
  expect((await remove("/system/logs/thumbs?all=true")).statusCode).toBe(204);
  expect([...server.state.tables.jobs.keys()]).toEqual(["d"]);
});

it("removes one job, running or not", async () => {
  add(jobOf("r", { state: "RUNNING" }), jobOf("s", { state: "SUCCEEDED" }));
  for (const id of ["r", "s"]) expect((await remove(`/system/logs/thumbs/${id}`)).statusCode).toBe(204);
  expect(server.state.tables.jobs.size).toBe(0);
});
