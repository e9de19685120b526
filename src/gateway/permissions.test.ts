import type { InjectOptions } from "fastify";
import { afterAll, describe, expect, it } from "vitest";
import { fakeDigest } from "../images/testing/fake-images.ts";
import type { Route } from "./route.ts";
import { AS, fakeServer } from "./testing/fake-server.ts";
import { serviceRecord } from "./testing/fake-state.ts";
import { definitionOf, jobOf, NOW, objectOf, specOf } from "./testing/samples.ts";

/** What each caller gets: `yes`, or the status of the refusal. The things named are ada's; `thumbs` is the tokens' own service. */
type Row = Readonly<Record<keyof typeof AS, "yes" | 401 | 403 | 404>>;

const EVERYBODY: Row = {
  admin: "yes",
  ada: "yes",
  bob: "yes",
  serviceToken: "yes",
  attemptToken: "yes",
  nobody: "yes",
};
const USERS: Row = { ...EVERYBODY, serviceToken: 403, attemptToken: 403, nobody: 401 };
const OWNER: Row = { admin: "yes", ada: "yes", bob: 404, serviceToken: 404, attemptToken: 404, nobody: 401 };
const OWNER_AND_TOKENS: Row = { ...OWNER, serviceToken: "yes", attemptToken: "yes" };
const ADMIN_ONLY: Row = { admin: "yes", ada: 403, bob: 403, serviceToken: 403, attemptToken: 403, nobody: 401 };

/** The matrix: one row for each route. */
const MATRIX: Readonly<Record<string, Row>> = {
  oscarHealth: EVERYBODY,
  health: EVERYBODY,
  ready: EVERYBODY,
  openApi: EVERYBODY,
  metrics: USERS,
  listServices: USERS,
  getService: OWNER_AND_TOKENS,
  createService: USERS,
  // PUT names its service in the body: another user's is then unknown, too.
  updateService: { ...USERS, bob: 404 },
  applyServices: USERS,
  removeService: OWNER,
  submitJob: OWNER_AND_TOKENS,
  listJobs: USERS,
  getJob: OWNER,
  removeJob: OWNER,
  cancelJob: OWNER,
  retryJob: OWNER,
  getJobLog: OWNER,
  listServiceLogs: OWNER,
  removeServiceLogs: OWNER,
  getServiceLog: OWNER,
  removeServiceLog: OWNER,
  followChanges: USERS,
  listBuckets: USERS,
  createBucket: USERS,
  getBucket: OWNER,
  removeBucket: OWNER,
  getConfig: USERS,
  getInfo: USERS,
  getStatus: USERS,
  backup: ADMIN_ONLY,
  checkStore: ADMIN_ONLY,
  listImages: ADMIN_ONLY,
  pullImage: ADMIN_ONLY,
  pruneImages: ADMIN_ONLY,
  removeImage: ADMIN_ONLY,
};

/** Bodies, where a route wants one. */
const BODIES: Readonly<Record<string, unknown>> = {
  createService: definitionOf("fresh"),
  updateService: definitionOf("thumbs"),
  applyServices: [definitionOf("fresh")],
  submitJob: { some: "event" },
  createBucket: { bucket_name: "fresh-bucket" },
  backup: { target: "/backups/monday" },
  pullImage: { image: "known/tool" },
};

const TOOL_DIGEST = fakeDigest("known/tool");

function world() {
  const server = fakeServer();
  const { services, buckets, objects, jobs } = server.state.tables;
  services.set("thumbs", serviceRecord(specOf("thumbs"), "ada"));
  buckets.set("photos", { name: "photos", owner: "ada", createdAt: NOW, versioning: "off" });
  jobs.set("waits", jobOf("waits"));
  jobs.set("done", jobOf("done", { state: "SUCCEEDED", attempt: 1 }));
  objects.set("other/x", objectOf("other", "x"));
  server.images.put(TOOL_DIGEST, "known/tool");
  return server;
}

function request(route: Route, who: keyof typeof AS): InjectOptions {
  const finished = ["removeJob", "retryJob", "getServiceLog", "removeServiceLog"].includes(route.id);
  const url = route.path
    .replace(":name", "thumbs")
    .replace(":bucket", "photos")
    .replace(":digest", TOOL_DIGEST)
    .replace(/:(id|job)/, finished ? "done" : "waits");
  const body = BODIES[route.id];
  return {
    // A followed stream has no end: its headers tell enough.
    method: route.id === "followChanges" ? "HEAD" : route.method,
    url,
    headers: AS[who],
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  };
}

const table = world();
afterAll(() => table.close());

describe("the permission matrix", () => {
  it("has exactly one row for each route", () => {
    expect(Object.keys(MATRIX).toSorted()).toEqual(table.routes.map(({ id }) => id).toSorted());
  });

  describe.each(table.routes.map((route) => ({ id: route.id, route })))("$id", ({ id, route }) => {
    it.each(Object.keys(AS) as (keyof typeof AS)[])("for %s", async (who) => {
      const server = world();
      const { statusCode, body } = await server.inject(request(route, who));
      const outcome = statusCode < 300 ? "yes" : statusCode;
      expect({ outcome, body: outcome === "yes" ? "" : body }).toMatchObject({ outcome: MATRIX[id]?.[who] });
      await server.close();
    });
  });

  it("answers what is another's and what is not there word for word the same, but for the name", async () => {
    const server = world();
    for (const [there, absent] of [
      ["/system/services/thumbs", "/system/services/absent"],
      ["/system/jobs/waits", "/system/jobs/absent"],
      ["/system/buckets/photos", "/system/buckets/absent"],
    ] as const) {
      const [a, b] = await Promise.all([there, absent].map((url) => server.inject({ url, headers: AS.bob })));
      const last = there.split("/").at(-1) ?? "";
      const masked = (text = "") => text.replaceAll(last, "absent").replace(/"request_id":"[^"]*"/, "");
      expect(masked(a?.body)).toBe(masked(b?.body));
      expect(a?.statusCode).toBe(404);
    }
    await server.close();
  });

  it("decides before it looks at a query or a body, so that these teach a stranger nothing", async () => {
    const server = world();
    const wrong = { method: "PUT", url: "/system/services", payload: "{" } as const;
    expect((await server.inject({ ...wrong, headers: AS.nobody })).statusCode).toBe(401);
    expect((await server.inject({ ...wrong, headers: AS.serviceToken })).statusCode).toBe(403);
    for (const [who, status] of [
      ["nobody", 401],
      ["bob", 404],
      ["ada", 400],
    ] as const) {
      const response = await server.inject({ url: "/system/jobs/waits/logs?follow=maybe", headers: AS[who] });
      expect(response.statusCode).toBe(status);
    }
    await server.close();
  });

  it("shows lists of one's own things, and all to the administrator", async () => {
    const server = world();
    server.state.tables.services.set("bobs", serviceRecord(specOf("bobs"), "bob"));
    server.state.tables.jobs.set("bobs-1", jobOf("bobs-1", { owner: "bob", service: "bobs" }));
    const names = async (url: string, who: keyof typeof AS) => {
      const value = (await server.inject({ url, headers: AS[who] })).json();
      const list: { name?: string; id?: string; service?: string }[] = value.jobs ?? value.sluice?.queues ?? value;
      return list.map((one) => one.name ?? one.id ?? one.service).toSorted();
    };
    expect(await names("/system/services", "bob")).toEqual(["bobs"]);
    expect(await names("/system/services", "admin")).toEqual(["bobs", "thumbs"]);
    expect(await names("/system/jobs", "bob")).toEqual(["bobs-1"]);
    expect(await names("/system/jobs", "admin")).toEqual(["bobs-1", "done", "waits"]);
    expect(await names("/system/status", "bob")).toEqual(["bobs"]);
    expect((await server.inject({ url: "/metrics", headers: AS.bob })).body).not.toContain("thumbs");
    await server.close();
  });
});
