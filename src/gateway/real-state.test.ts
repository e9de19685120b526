import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ADMIN_SUBJECT, SYSTEM_PRINCIPAL } from "../core/principal.ts";
import { createJobs } from "../jobs/create-jobs.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { openState } from "../state/open.ts";
import type { State } from "../state/state.ts";
import { AS, type FakeServer, fakeServer } from "./testing/fake-server.ts";
import { definitionOf } from "./testing/samples.ts";

/** What the fakes stand for: the gateway on the database that servers use. */
let folder: string;
let state: State;
let server: FakeServer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-gateway-"));
  state = await openState({ driver: "sqlite", file: join(folder, "sluice.db") });
  const view = () => ({ workers: [], waiting: [], draining: false });
  const dispatcher = { view, reason: () => null, stopAttempt: async () => {} };
  const jobs = createJobs({ state, dispatcher, logs: { remove: async () => {} }, clock: systemClock, log: silentLog });
  server = fakeServer({ deps: { state, jobs } });
});
afterEach(async () => {
  await server.close();
  await state.close();
  await rm(folder, { recursive: true });
});

const call = (method: "GET" | "POST" | "PUT" | "DELETE", url: string, body?: unknown) =>
  server.inject({
    method,
    url,
    headers: AS.admin,
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });

const DEFINITIONS = [definitionOf("thumbs"), definitionOf("docs", { input: [{ path: "texts/in" }] })];
const apply = async (body: unknown, query = "") =>
  (await call("POST", `/system/services/apply${query}`, body))
    .json()
    .services.map(({ result }: { result: string }) => result);

it("applies, foresees what an apply then does, and knows a definition that it gave", async () => {
  const foresee = (body: unknown) => apply(body, "?dry_run=true");
  expect(await foresee(DEFINITIONS)).toEqual(["created", "created"]);
  expect(await apply(DEFINITIONS)).toEqual(["created", "created"]);
  expect(await foresee(DEFINITIONS)).toEqual(["unchanged", "unchanged"]);
  const given = (await call("GET", "/system/services/thumbs")).json();
  expect(given.owner).toBe(ADMIN_SUBJECT);
  expect(await foresee([given])).toEqual(["unchanged"]);
  expect(await apply([given])).toEqual(["unchanged"]);
  expect(await foresee([{ ...given, memory: "1Gi" }])).toEqual(["updated"]);
  expect(await apply([{ ...given, memory: "1Gi" }])).toEqual(["updated"]);
});

it("takes calls, and lists, shows, cancels and removes their jobs", async () => {
  await apply(DEFINITIONS);
  const ids: string[] = [];
  for (const text of ["one", "two", "three"]) {
    const { headers, statusCode } = await call("POST", "/job/thumbs?run=r1", { text });
    expect(statusCode).toBe(201);
    ids.unshift(String(headers["job-id"]));
  }
  const first = (await call("GET", "/system/jobs?run=r1&limit=2")).json();
  const second = (await call("GET", `/system/jobs?run=r1&limit=2&after=${encodeURIComponent(first.next)}`)).json();
  expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toEqual(ids);
  expect(second.next).toBeNull();
  const [newest = ""] = ids;
  expect((await call("GET", `/system/jobs/${newest}`)).json()).toMatchObject({
    state: "QUEUED",
    run: "r1",
    attempts: [],
  });
  expect((await call("DELETE", `/system/jobs/${newest}`)).statusCode).toBe(409);
  expect((await call("POST", `/system/jobs/${newest}/cancel`)).json().state).toBe("CANCELLED");
  expect((await call("POST", `/system/jobs/${newest}/cancel`)).statusCode).toBe(409);
  // The body of a call is kept as long as its job, so that it can be tried again.
  const retried = await call("POST", `/system/jobs/${newest}/retry`);
  expect(retried.statusCode).toBeLessThan(300);
  expect(retried.json()).toMatchObject({ state: "QUEUED", retry_of: newest });
  expect((await call("DELETE", `/system/jobs/${newest}`)).statusCode).toBe(204);
  expect((await call("GET", "/system/logs/thumbs")).json().remaining_jobs).toBe(0);
  expect((await call("DELETE", "/system/logs/thumbs?all=true")).statusCode).toBe(204);
  expect((await call("GET", "/system/jobs?service=thumbs")).json().jobs).toEqual([]);
});

it("makes, shows and removes buckets, and counts what there is", async () => {
  await apply(DEFINITIONS);
  expect((await call("POST", "/system/buckets", { bucket_name: "photos" })).statusCode).toBe(400);
  expect((await call("POST", "/system/buckets", { bucket_name: "fresh" })).statusCode).toBe(201);
  const names = (await call("GET", "/system/buckets")).json().map((one: { bucket_name: string }) => one.bucket_name);
  expect(names).toEqual(["fresh", "photos", "texts"]);
  expect((await call("GET", "/system/buckets/fresh")).json()).toMatchObject({ objects: [], is_truncated: false });
  await state.setVersioning(SYSTEM_PRINCIPAL, "fresh", "enabled");
  const hidden = Array.from({ length: 600 }, (_, n) => ({ key: `never/${n}` }));
  for (let round = 0; round < 2; round++) await state.deleteObjects(SYSTEM_PRINCIPAL, "fresh", hidden, 1);
  for (let n = 0; n < 3; n++) {
    const plain = { contentType: "", metadata: {}, headers: {}, tags: {}, checksum: null, lineage: null, at: 1 };
    await state.createUpload({ by: SYSTEM_PRINCIPAL, uploadId: `upload-${n}`, bucket: "fresh", key: "k", ...plain });
  }
  expect((await call("DELETE", "/system/buckets/fresh")).statusCode).toBe(409);
  expect((await call("DELETE", "/system/buckets/fresh?data=true")).statusCode).toBe(204);
  expect((await call("GET", "/system/status")).json().minio.buckets_count).toBe(2);
  expect((await call("GET", "/metrics")).body).toContain("sluice_state_transactions_total");
});

it("removes services with their data", async () => {
  await apply(DEFINITIONS);
  expect((await call("DELETE", "/system/services/docs?data=true")).statusCode).toBe(204);
  expect((await call("GET", "/system/buckets/texts")).statusCode).toBe(404);
  expect((await call("PUT", "/system/services", definitionOf("docs"))).statusCode).toBe(404);
});
