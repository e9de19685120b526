import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createGateway, type Gateway } from "./gateway.ts";
import { AS, type FakeServer, fakeServer } from "./testing/fake-server.ts";
import { serviceRecord } from "./testing/fake-state.ts";
import { jobOf, NOW, specOf } from "./testing/samples.ts";

let fake: FakeServer;
let gateway: Gateway;
let url: string;
async function listen(host = "127.0.0.1"): Promise<void> {
  fake = fakeServer();
  gateway = createGateway(fake.deps);
  ({ url } = await gateway.listen(host, 0));
}
afterEach(async () => {
  await gateway.close();
  await fake.close();
});

/** What comes back on a bare socket until the server ends it. */
async function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.write(text);
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

describe("an address", () => {
  it("is told with the port that was found", async () => {
    await listen();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("of all interfaces is told as one that this machine can reach", async () => {
    await listen("0.0.0.0");
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it("that is taken is an error of the operating system", async () => {
    await listen();
    const second = createGateway(fake.deps);
    await expect(second.listen("127.0.0.1", Number(new URL(url).port))).rejects.toMatchObject({ code: "EADDRINUSE" });
    await second.close();
  });
});

describe("what is no request", () => {
  it.each([
    ["garbage", "hello there\r\n\r\n", "400"],
    ["no Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400"],
    ["an old request without Host", "GET /healthz HTTP/1.0\r\n\r\n", "421"],
    ["two lengths", "POST /job/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"],
    [
      "a length and chunks",
      "POST /job/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "400",
    ],
    ["huge headers", `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, "431"],
  ])("%s is refused and the server lives", async (_, text, status) => {
    await listen();
    expect((await raw(text)).slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("says so in our form where it can", async () => {
    await listen();
    const answer = await raw("hello there\r\n\r\n");
    expect(answer).toContain("application/problem+json");
    expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({ code: "REQUEST_INVALID", status: 400 });
  });
});

it("makes no job of an upload that breaks off", async () => {
  await listen();
  fake.state.tables.services.set("thumbs", serviceRecord(specOf("thumbs"), "ada"));
  const { stage } = fake.deps.blobs;
  const broken = new Promise<unknown>((resolve) => {
    fake.deps.blobs.stage = async (source) => {
      upload.destroy();
      return stage(source).catch((error: unknown) => {
        resolve(error);
        throw error;
      });
    };
  });
  const { hostname, port } = new URL(url);
  const headers = { ...AS.ada, "content-length": 5 << 20 };
  const upload = httpRequest({ hostname, port, path: "/job/thumbs", method: "POST", headers });
  upload.on("error", () => {});
  upload.write(Buffer.alloc(2 << 20));
  expect(await broken).toMatchObject({ code: "BODY_TRUNCATED" });
  expect([fake.submitted, fake.staged.size, fake.logged]).toEqual([[], 0, []]);
});

describe("streams on a socket", () => {
  it("send their head at once, and each change as it comes", async () => {
    await listen();
    const response = await fetch(`${url}/system/events`, { headers: AS.ada });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain("retry: 1000");
    fake.state.note({ kind: "job.succeeded", key: "thumbs-1" });
    fake.state.note({ owner: "bob" });
    fake.state.note({ kind: "job.failed", key: "thumbs-2" });
    let text = "";
    while (!text.includes("thumbs-2")) text += (await reader?.read())?.value ?? "";
    expect([...text.matchAll(/^event: (.+)$/gm)].map(([, kind]) => kind)).toEqual(["job.succeeded", "job.failed"]);
    await reader?.cancel();
  });

  it("go on from Last-Event-ID, which goes before after", async () => {
    await listen();
    for (let at = 0; at < 5; at += 1) fake.state.note({});
    const headers = { ...AS.ada, "last-event-id": "3" };
    const response = await fetch(`${url}/system/events?after=1`, { headers });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("id: 5\n")) text += (await reader?.read())?.value ?? "";
    expect([...text.matchAll(/"seq":(\d+)/g)].map(([, seq]) => seq)).toEqual(["4", "5"]);
    await reader?.cancel();
  });

  it.each(["x", "-1", "1.5", "9".repeat(20)])("refuse %s as Last-Event-ID", async (id) => {
    await listen();
    const response = await fetch(`${url}/system/events`, { headers: { ...AS.ada, "last-event-id": id } });
    expect([response.status, response.headers.get("sluice-error-code")]).toEqual([400, "REQUEST_INVALID"]);
  });

  it("show a user nothing of others, even when asked to", async () => {
    await listen();
    const response = await fetch(`${url}/system/events?owner=bob`, { headers: AS.ada });
    expect(response.status).toBe(403);
  });

  it("of a log end with the job", async () => {
    await listen();
    fake.state.tables.jobs.set("j", jobOf("j"));
    fake.logs.set("j/1", [{ at: NOW, bytes: Buffer.from("hello\n") }]);
    const response = await fetch(`${url}/system/jobs/j/logs?follow=true`, { headers: AS.ada });
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
    fake.state.tables.jobs.set("j", jobOf("j", { state: "SUCCEEDED", attempt: 1 }));
    fake.state.note({});
    expect(await response.text()).toBe("hello\n");
  });

  it("that fail cut the connection, so that half a log is not taken for a whole one", async () => {
    await listen();
    fake.state.tables.jobs.set("j", jobOf("j", { state: "SUCCEEDED", attempt: 1 }));
    fake.deps.logs.read = async function* () {
      yield { at: NOW, bytes: Buffer.from("half") };
      throw new Error("disk gone");
    };
    const response = await fetch(`${url}/system/jobs/j/logs`, { headers: AS.ada });
    await expect(response.text()).rejects.toThrow();
    expect(fake.logged.map((line) => JSON.parse(line).message)).toEqual(["request failed"]);
  });

  it("end when the server closes", async () => {
    await listen();
    const response = await fetch(`${url}/system/events`, { headers: AS.ada });
    const end = response.text().catch(() => "cut");
    await gateway.close();
    await end;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });
});
