import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import { type FakeServer, fakeServer } from "../gateway/testing/fake-server.ts";
import { definitionOf, jobOf, NOW, objectOf } from "../gateway/testing/samples.ts";
import { type Client, type Credentials, createClient } from "./client.ts";

/** One server for all; its tables are emptied before each test. */
const fake: FakeServer = fakeServer();
const gateway: Gateway = createGateway(fake.deps);
const { url: endpoint } = await gateway.listen("127.0.0.1", 0);
const as = (credentials: Credentials): Client => createClient({ endpoint: `${endpoint}/`, credentials });
const ada = as({ kind: "basic", user: "ada", password: "ada's" });
const admin = as({ kind: "basic", user: "admin", password: "correct horse" });

beforeEach(() => {
  const { services, buckets, objects, jobs } = fake.state.tables;
  for (const table of [services, buckets, objects, jobs, fake.logs, fake.staged]) table.clear();
  fake.submitted.length = 0;
});
afterAll(async () => {
  await gateway.close();
  await fake.close();
});

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("services", () => {
  it("are created, read, updated, listed and removed", async () => {
    expect(await ada.createService(definitionOf("thumbs"))).toEqual([]);
    expect(await ada.getService("thumbs")).toMatchObject({ name: "thumbs", owner: "ada", cpu: "0.5" });
    expect(await ada.updateService(definitionOf("thumbs", { cpu: "1" }))).toEqual([]);
    expect((await ada.listServices()).map(({ cpu }) => cpu)).toEqual(["1"]);
    await ada.removeService("thumbs", { data: true });
    await expect(ada.getService("thumbs")).rejects.toMatchObject({ code: "SERVICE_UNKNOWN", status: 404 });
  });

  it("come with the warnings of the server, one each, whatever is in them", async () => {
    const warnings = await ada.createService(definitionOf("thumbs", { enable_sgx: true, vo: "ä, b" }));
    expect(warnings).toHaveLength(2);
    for (const warning of warnings) expect(warning).toContain('"thumbs"');
  });

  it("are applied together, or foreseen", async () => {
    const definitions = [definitionOf("a"), definitionOf("b")];
    const foreseen = await ada.applyServices(definitions, { dryRun: true });
    expect(foreseen.dry_run).toBe(true);
    expect(fake.state.tables.services.size).toBe(0);
    const applied = await ada.applyServices(definitions);
    expect(applied.services.map(({ result }) => result)).toEqual(["created", "created"]);
  });
});

describe("calls of a service", () => {
  beforeEach(() => ada.createService(definitionOf("thumbs")).then(() => {}));

  it.each([
    ["text", "hé"],
    ["bytes", new TextEncoder().encode("hé")],
    ["a blob", new Blob(["hé"])],
    [
      "a stream",
      (async function* () {
        yield new TextEncoder().encode("h");
        yield new TextEncoder().encode("é");
      })(),
    ],
  ])("send %s and tell the job", async (_, body) => {
    const made = await ada.submitJob("thumbs", body, { run: "a&b=c", contentType: "text/plain" });
    expect(made).toEqual({ ids: ["thumbs-1"], count: 1 });
    expect(fake.submitted[0]?.runName).toBe("a&b=c");
    expect([...fake.staged.values()].map(String)).toEqual(["hé"]);
  });

  it("tell of many jobs, and of none", async () => {
    fake.state.tables.buckets.set("photos", { name: "photos", owner: "ada", createdAt: NOW, versioning: "off" });
    fake.state.tables.objects.set("photos/k", objectOf("photos", "k"));
    const record = { eventSource: "minio:s3", s3: { bucket: { name: "photos" }, object: { key: "k" } } };
    const many = await ada.submitJob("thumbs", JSON.stringify({ Records: Array.from({ length: 120 }, () => record) }));
    expect([many.ids.length, many.count]).toEqual([100, 120]);
    expect(await ada.submitJob("thumbs", '{"Event":"s3:TestEvent"}')).toEqual({ ids: [], count: 0 });
  });

  it("may be made with the service's token alone", async () => {
    const client = as({ kind: "bearer", token: "5".repeat(64) });
    expect((await client.submitJob("thumbs", "x")).count).toBe(1);
    await expect(client.listJobs()).rejects.toMatchObject({ code: "FORBIDDEN" });
  });
});

describe("jobs", () => {
  beforeEach(() => {
    for (const job of [
      jobOf("q"),
      jobOf("r", { state: "RUNNING", attempt: 1 }),
      jobOf("s", { state: "SUCCEEDED", attempt: 1 }),
    ]) {
      fake.state.tables.jobs.set(job.id, job);
    }
  });

  it("are listed page by page, shown, cancelled, retried and removed", async () => {
    const page = await ada.listJobs({ states: ["QUEUED", "RUNNING"], limit: 1 });
    expect([page.jobs.map(({ id }) => id), page.next]).toEqual([["q"], "q"]);
    const second = await ada.listJobs({ states: ["QUEUED", "RUNNING"], limit: 1, after: page.next ?? "" });
    expect([second.jobs.map(({ id }) => id), second.next]).toEqual([["r"], null]);
    expect((await ada.getJob("q")).waits_for).toBe("the workers are busy");
    expect((await ada.cancelJob("r")).state).toBe("CANCELLED");
    expect((await ada.retryJob("s")).retry_of).toBe("s");
    await ada.removeJob("s");
    await expect(ada.removeJob("q")).rejects.toMatchObject({ code: "JOB_STATE" });
  });

  it("give their logs, whole and live", async () => {
    fake.logs.set("s/1", [{ at: NOW, bytes: Buffer.from("one\ntwo\n") }]);
    expect(await textOf(ada.jobLog("s"))).toBe("one\ntwo\n");
    expect(await textOf(ada.jobLog("s", { timestamps: true, attempt: 1 }))).toMatch(/^2023-\S+Z one\n2023-\S+Z two\n$/);
    expect(await textOf(ada.serviceLog("thumbs", "s"))).toBe("one\ntwo\n");
    const live = textOf(ada.jobLog("q", { follow: true }));
    fake.logs.set("q/1", [{ at: NOW, bytes: Buffer.from("late\n") }]);
    fake.state.tables.jobs.set("q", jobOf("q", { state: "SUCCEEDED", attempt: 1 }));
    fake.state.note({});
    expect(await live).toBe("late\n");
  });

  it("end a live log quietly when it is no longer wanted", async () => {
    const controller = new AbortController();
    const live = textOf(ada.jobLog("q", { follow: true, signal: controller.signal }));
    setTimeout(() => controller.abort(), 20);
    expect(await live).toBe("");
  });

  it("have an OSCAR form", async () => {
    await ada.createService(definitionOf("thumbs"));
    expect(Object.keys((await ada.listServiceLogs("thumbs")).jobs)).toEqual(["q", "r", "s"]);
    await ada.removeServiceLog("thumbs", "q");
    await ada.removeServiceLogs("thumbs", { all: true });
    expect(fake.state.tables.jobs.size).toBe(0);
  });
});

describe("changes", () => {
  it("come one by one, of the kinds asked for, until nobody listens", async () => {
    const seen: unknown[] = [];
    const before = (await fake.state.changeBounds()).last;
    fake.state.note({ kind: "job.failed", key: "one" });
    fake.state.note({ kind: "job.queued", key: "no" });
    const controller = new AbortController();
    for await (const change of ada.changes({ after: before, kinds: ["job.failed"], signal: controller.signal })) {
      seen.push([change.kind, change.key]);
      if (seen.length === 1) fake.state.note({ kind: "job.failed", key: "ünïcode\n two" });
      else controller.abort();
    }
    expect(seen).toEqual([
      ["job.failed", "one"],
      ["job.failed", "ünïcode\n two"],
    ]);
  });

  it("tell of a gap", async () => {
    for (let at = 0; at < 3; at += 1) fake.state.note({});
    const { last } = await fake.state.changeBounds();
    fake.state.expireBefore(last);
    for await (const change of ada.changes({ after: 0 })) {
      expect(change).toEqual({ kind: "gap", key: "", first_missing: 1, last_missing: last - 1 });
      break;
    }
  });
});

it("makes, shows and removes buckets", async () => {
  await ada.createBucket("photos");
  expect((await ada.listBuckets()).map(({ bucket_name: name }) => name)).toEqual(["photos"]);
  fake.state.tables.objects.set("photos/a b", objectOf("photos", "a b"));
  expect((await ada.getBucket("photos", { prefix: "a ", limit: 5 })).objects[0]?.object_name).toBe("a b");
  await expect(ada.removeBucket("photos")).rejects.toMatchObject({ code: "BUCKET_NOT_EMPTY" });
  await ada.removeBucket("photos", { data: true });
  expect(fake.state.tables.buckets.size).toBe(0);
});

it("reads what the server says of itself", async () => {
  await ada.health();
  expect((await ada.getInfo()).version).toBe("1.2.3");
  expect((await admin.getConfig()).minio_provider.access_key).toBe("AK");
  expect((await ada.getStatus()).sluice.workers[0]?.name).toBe("local");
  expect(await ada.metrics()).toContain("sluice_build_info");
  expect((await ada.openApi()).openapi).toMatch(/^3\.1/);
  fake.mood.reasons.push("no disk");
  expect(await ada.ready()).toEqual({ ready: false, reasons: ["no disk"] });
  fake.mood.reasons.length = 0;
  expect(await admin.backup("/backups/x")).toEqual({ target: "/backups/x" });
});

describe("names in addresses", () => {
  it.each(["../../etc", "a/b", "a?b#c", "%2e%2e", "ü 😀"])("%j stay one part", async (name) => {
    const error = await ada.getService(name).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "SERVICE_UNKNOWN" });
    expect(error.message).toContain(name);
  });
});

/** A server of another make. */
async function other(answer: { status: number; headers?: Record<string, string>; body?: string; cut?: boolean }) {
  const server = createServer((_request, response) => {
    response.writeHead(answer.status, answer.headers);
    response.write(answer.body ?? "");
    if (answer.cut === true) setTimeout(() => response.destroy(), 20);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = createClient({ endpoint: `http://127.0.0.1:${port}`, credentials: { kind: "none" } });
  return { client, close: () => server.close() };
}

describe("errors", () => {
  it("keep the server's code, sentence and details", async () => {
    const error = await ada.applyServices([definitionOf("x", { memory: "12Q" })]).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "SluiceError", code: "SERVICE_INVALID" });
    expect(error.message).toContain("12Q");
    expect(error.details).toMatchObject({ status: 400, problems: [{ path: "memory" }] });
  });

  it("of credentials say so", async () => {
    for (const credentials of [
      { kind: "none" },
      { kind: "basic", user: "ada", password: "wröng" },
      { kind: "bearer", token: "x" },
    ] as const) {
      await expect(as(credentials).getInfo()).rejects.toMatchObject({ code: "UNAUTHENTICATED", status: 401 });
    }
  });

  it("of a server that is not there say what to do", async () => {
    const { client: lost, close } = await other({ status: 200 });
    close();
    const error = await lost.getInfo().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "UNREACHABLE" });
    expect(error.message).toContain("nothing listens there");
    expect(error.message).toContain("sluice up");
    await expect(lost.changes().next()).rejects.toMatchObject({ code: "UNREACHABLE" });
    const nowhere = createClient({ endpoint: "http://no-such-host.invalid", credentials: { kind: "none" } });
    await expect(nowhere.getInfo()).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it.each([
    [{ status: 404, headers: { "content-type": "text/plain" }, body: "no such thing" }, "NOT_FOUND", "no such thing"],
    [{ status: 502, headers: { "content-type": "text/html" }, body: "<h1>Bad gateway</h1>" }, "UNREACHABLE", "502"],
    [{ status: 500, body: "" }, "INTERNAL", "500"],
    [{ status: 418, headers: { "sluice-error-code": "BREWING" } }, "INTERNAL", "418"],
    [{ status: 409, headers: { "sluice-error-code": "SERVICE_EXISTS" } }, "SERVICE_EXISTS", "409"],
    [{ status: 400, headers: { "content-type": "application/problem+json" }, body: "{cut" }, "REQUEST_INVALID", "400"],
    [{ status: 400, headers: { "sluice-error-code": "toString" } }, "REQUEST_INVALID", "400"],
    [{ status: 200, body: "no json" }, "UNREACHABLE", "address of the API"],
  ])("of other servers are told as well as they can be: %j", async (answer, code, text) => {
    const { client, close } = await other(answer);
    const error = await client.getInfo().catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "SluiceError", code });
    expect(error.message).toContain(text);
    close();
  });

  it("tell a log that was cut from one that has ended", async () => {
    const { client, close } = await other({ status: 200, body: "half", cut: true });
    await expect(textOf(client.jobLog("j"))).rejects.toMatchObject({ code: "UNREACHABLE" });
    close();
  });
});

it("lets the connection of a stream go when its reader leaves", async () => {
  const server = createServer();
  const left = new Promise<void>((resolve) => {
    server.on("request", (_request, response) => {
      response.write("id: 1\nevent: job.queued\ndata: {}\n\n");
      response.on("close", resolve);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = createClient({ endpoint: `http://127.0.0.1:${port}`, credentials: { kind: "none" } });
  for await (const _change of client.changes()) break;
  await left;
  server.close();
});

it("reads a silent log again where Node gave it up, and gives nothing twice", async () => {
  let call = 0;
  const parts = ["one\n", "one\ntwo\n", "one\ntwo\nthree\n"];
  const given = async (): Promise<Response> => {
    const part = new TextEncoder().encode(parts[call]);
    call += 1;
    const last = call === parts.length;
    return new Response(
      new ReadableStream(
        {
          start(controller) {
            controller.enqueue(part.slice(0, 6));
            controller.enqueue(part.slice(6));
          },
          pull(controller) {
            if (last) controller.close();
            else
              controller.error(
                new TypeError("terminated", { cause: Object.assign(new Error("x"), { code: "UND_ERR_BODY_TIMEOUT" }) }),
              );
          },
        },
        { highWaterMark: 0 },
      ),
    );
  };
  const client = createClient({ endpoint, credentials: { kind: "none" }, fetch: given });
  expect(await textOf(client.jobLog("j", { follow: true }))).toBe("one\ntwo\nthree\n");
});

it("loads nothing of Node: a browser can run it", () => {
  const seen = new Set<string>();
  const walk = (file: URL): void => {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    const code = readFileSync(file, "utf8").replace(/^(import|export) type [^;]+;/gm, "");
    expect(code, file.pathname).not.toMatch(/from "node:|\bBuffer\b|\bprocess\./);
    for (const [, path = ""] of code.matchAll(/from "(\.[^"]+)"/g)) walk(new URL(path, file));
  };
  walk(new URL("client.ts", import.meta.url));
  expect([...seen].map((href) => href.split("/").at(-1)).toSorted()).toEqual([
    "answer-error.ts",
    "client.ts",
    "errors.ts",
    "event-stream.ts",
    "http.ts",
  ]);
});
