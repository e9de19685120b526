import { afterEach, expect, it } from "vitest";
import { SluiceError } from "../../core/errors.ts";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { serviceRecord } from "../testing/fake-state.ts";
import { jobOf, NOW, objectOf, specOf } from "../testing/samples.ts";

let server: FakeServer;
const start = (...over: Parameters<typeof fakeServer>): FakeServer => {
  server = fakeServer(...over);
  return server;
};
afterEach(() => server.close());

const get = async (url: string, who: keyof typeof AS = "admin") =>
  (await server.inject({ url, headers: AS[who] })).json();

it("tells OSCAR's clients the S3 address with the caller's own keys", async () => {
  start();
  const config = await get("/system/config");
  expect(config.minio_provider).toEqual({
    endpoint: "http://127.0.0.1:9000",
    verify: true,
    access_key: "AK",
    secret_key: "SK",
    region: "us-east-1",
  });
  expect(config.config).toMatchObject({ name: "sluice", gpu_available: true, oidc_groups: [] });
  expect((await get("/system/config", "bob")).minio_provider).toMatchObject({ access_key: "", secret_key: "" });
});

it("tells its version", async () => {
  start();
  expect(await get("/system/info")).toMatchObject({ version: "1.2.3", git_commit: "abc", kubernetes_version: "" });
});

it("shows workers in OSCAR's units, whole numbers of milli-cores and bytes", async () => {
  start();
  const { cluster } = await get("/system/status");
  expect(cluster).toEqual({
    nodes_count: 1,
    metrics: {
      cpu: {
        total_free_cores: 1500,
        max_free_on_node_cores: 1500,
        total_schedulable_cores: 2000,
        total_schedulable_on_node_cores: 2000,
      },
      memory: {
        total_free_bytes: 3072,
        max_free_on_node_bytes: 3072,
        total_schedulable_bytes: 4096,
        total_schedulable_on_node_bytes: 4096,
      },
      gpu: { total_gpu: 1 },
    },
    nodes: [
      {
        name: "local",
        cpu: { capacity_cores: 2000, usage_cores: 500 },
        memory: { capacity_bytes: 4096, usage_bytes: 1024 },
        gpu: 1,
        is_interlink: false,
        status: "Ready",
        conditions: [{ type: "Ready", status: true }],
      },
    ],
  });
});

it("counts jobs, buckets and objects, and says why a queue waits", async () => {
  const waiting = {
    service: "thumbs",
    jobId: "q",
    because: "capacity",
    lacking: [{ name: "memory", need: 9, free: 1 }],
    running: 0,
    limit: null,
    overtaken: 0,
  } as const;
  start({ deps: { dispatcher: { view: () => ({ workers: [], waiting: [waiting], draining: true }) } } });
  const { services, jobs, buckets, objects } = server.state.tables;
  services.set("thumbs", serviceRecord(specOf("thumbs"), "ada"));
  jobs.set("q", jobOf("q"));
  jobs.set("d", jobOf("d", { state: "DELIVERING" }));
  jobs.set("r", jobOf("r", { state: "RUNNING" }));
  buckets.set("photos", { name: "photos", owner: "ada", createdAt: NOW, versioning: "off" });
  objects.set("photos/a", objectOf("photos", "a"));
  server.state.tables.damagedBlobs = 3;
  const status = await get("/system/status");
  expect(status.oscar).toMatchObject({
    ready: false,
    jobs_count: 3,
    pods: { total: 3, states: { Pending: 1, Running: 2, Succeeded: 0, Failed: 0 } },
  });
  expect(status.minio).toEqual({ buckets_count: 1, total_objects: 1 });
  expect(status.sluice.store).toEqual({ damaged_blobs: 3 });
  expect(status.sluice).toMatchObject({
    draining: true,
    queues: [
      {
        service: "thumbs",
        owner: "ada",
        counts: { QUEUED: 1, RUNNING: 1, DELIVERING: 1 },
        waits_for: expect.stringContaining("memory"),
      },
    ],
  });
});

it("makes backups where it is told, and passes on why not", async () => {
  start();
  const body = { method: "POST", url: "/system/backup", headers: AS.admin } as const;
  const made = await server.inject({ ...body, payload: { target: "/backups/a b" } });
  expect([made.statusCode, made.json(), server.backups]).toEqual([200, { target: "/backups/a b" }, ["/backups/a b"]]);
  server.deps.backup = async () => {
    throw new SluiceError("BACKUP_INVALID", 'Cannot back up to "/x": it is not empty');
  };
  const refused = await server.inject({ ...body, payload: { target: "/x" } });
  expect([refused.statusCode, refused.json().code]).toEqual([400, "BACKUP_INVALID"]);
  expect((await server.inject({ ...body, payload: { target: "/x", force: true } })).statusCode).toBe(400);
});

it("says in OSCAR's word and ours that it lives, without credentials", async () => {
  start();
  expect((await server.inject({ url: "/health" })).body).toBe("Ok");
  expect((await server.inject({ url: "/healthz" })).body).toBe("ok");
  expect((await server.inject({ method: "HEAD", url: "/healthz" })).statusCode).toBe(200);
});

it("is ready until something is wrong, and says what", async () => {
  start();
  expect((await server.inject({ url: "/readyz" })).json()).toEqual({ ready: true, reasons: [] });
  server.mood.draining = true;
  server.mood.reasons.push("the server is stopping", "the disk is full");
  const response = await server.inject({ url: "/readyz" });
  expect([response.statusCode, response.headers["retry-after"]]).toEqual([503, "5"]);
  expect(response.json()).toEqual({ ready: false, reasons: ["the server is stopping", "the disk is full"] });
});

it("gives Prometheus its figures, in base units and with labels that cannot break a line", async () => {
  start();
  const strange = 'a"b\\c\nd';
  server.state.tables.services.set(strange, serviceRecord({ ...specOf("thumbs"), name: strange }, "ada"));
  server.state.tables.jobs.set("q", jobOf("q", { service: strange }));
  server.state.tables.damagedBlobs = 2;
  await server.inject({ url: "/system/jobs/none", headers: AS.admin });
  await server.inject({ url: "/nowhere", headers: AS.admin });
  const response = await server.inject({ url: "/metrics", headers: AS.admin });
  expect(response.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = response.body.trimEnd().split("\n");
  expect(lines).toContain('sluice_jobs{service="a\\"b\\\\c\\nd",state="QUEUED"} 1');
  expect(lines).toContain('sluice_queue_depth{service="a\\"b\\\\c\\nd"} 1');
  expect(lines).toContain('sluice_worker_cpu_cores{worker="local"} 2');
  expect(lines).toContain('sluice_worker_reserved_memory_bytes{worker="local"} 1024');
  expect(lines).toContain("sluice_state_transactions_total 12");
  expect(lines).toContain("sluice_store_damaged_blobs 2");
  expect(lines).toContain('sluice_http_requests_total{route="getJob",method="GET",status="404"} 1');
  expect(lines).toContain('sluice_http_requests_total{route="none",method="other",status="404"} 1');
  expect(lines).toContain('sluice_http_request_duration_seconds_bucket{le="+Inf"} 2');
  const sample = /^[a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? -?[\d.e+-]+$/;
  expect(lines.filter((line) => !line.startsWith("# ") && !sample.test(line))).toEqual([]);
});

it("opens its figures to everybody only by configuration", async () => {
  start({ facts: { metricsPublic: true } });
  server.state.tables.services.set("thumbs", serviceRecord(specOf("thumbs"), "ada"));
  const response = await server.inject({ url: "/metrics" });
  expect(response.statusCode).toBe(200);
  expect(response.body).toContain('service="thumbs"');
});
