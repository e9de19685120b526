import { once } from "node:events";
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../support/certificate.ts";
import { cleanEnv, newFolder, type RunningServer, runCli, startServer } from "../support/server.ts";
import { applyServices, s3Of } from "../support/workflow.ts";

/** Both ports with TLS, through the CLI and the SDK; certificates that change; proxies in front. */

let folder = "";
let server: RunningServer;
let trust: Record<string, string>;
let current: { cert: string; key: string };

async function use(name: string): Promise<void> {
  const made = makeCertificate(folder, name);
  await copyFile(made.cert, current.cert);
  await copyFile(made.key, current.key);
}

beforeAll(async () => {
  folder = await newFolder("tls");
  current = { cert: join(folder, "current.crt"), key: join(folder, "current.key") };
  await use("first");
  await writeFile(join(folder, "first.pem"), await readFile(current.cert));
  trust = { NODE_EXTRA_CA_CERTS: join(folder, "first.pem") };
  const { cert, key } = current;
  server = await startServer({
    env: { SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key, SLUICE_S3_TLS_CERT: cert, SLUICE_S3_TLS_KEY: key },
  });
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function shownBy(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe("TLS on both ports", () => {
  it("serves the command line and scripts", async () => {
    expect([server.api, server.s3].map((url) => url.slice(0, 18))).toEqual([
      "https://127.0.0.1:",
      "https://127.0.0.1:",
    ]);
    await writeFile(join(folder, "hello.txt"), "hello over TLS\n");
    expect(await server.cli(["mb", "secure"], { env: trust })).toMatchObject({ code: 0 });
    const put = await server.cli(["put", join(folder, "hello.txt"), "secure/"], { env: trust });
    expect(put).toMatchObject({ code: 0 });
    const got = await server.cli(["get", "secure/hello.txt", join(folder, "got")], { env: trust });
    expect(got).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "got"), "utf8")).toBe("hello over TLS\n");
  });

  it("is not taken from a certificate that nobody vouches for", async () => {
    expect(await server.cli(["services", "list"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("UNREACHABLE"),
    });
  });

  it("says https where it tells clients its addresses", async () => {
    const ca = await readFile(trust.NODE_EXTRA_CA_CERTS ?? "");
    const authorization = `Basic ${Buffer.from(`${server.admin.user}:${server.admin.password}`).toString("base64")}`;
    const outgoing = request(`${server.api}/system/config`, { ca, headers: { authorization } }).end();
    const [answer] = await once(outgoing, "response");
    const body = Buffer.concat(await answer.toArray()).toString();
    expect(answer.statusCode).toBe(200);
    expect(body).toContain(server.s3);
  });
});

it("new connections get new certificates after SIGHUP, and keep the old ones when the new are wrong", async () => {
  expect([await shownBy(server.api), await shownBy(server.s3)]).toEqual(["first", "first"]);
  await writeFile(current.key, "no key\n");
  process.kill(server.pid, "SIGHUP");
  await expect.poll(() => server.log(), { timeout: 10_000 }).toContain("they stay as they are");
  expect(await shownBy(server.api)).toBe("first");
  await use("second");
  process.kill(server.pid, "SIGHUP");
  await expect.poll(() => shownBy(server.s3), { timeout: 10_000 }).toBe("second");
  expect(await shownBy(server.api)).toBe("second");
});

it("does not start with a certificate and a key that do not belong together, or with one of them", async () => {
  const other = makeCertificate(folder, "other");
  const up = (env: Record<string, string>) =>
    runCli(["up", "--data", join(folder, "never"), "--port", "0", "--s3-port", "0"], cleanEnv(), { env });
  expect(await up({ SLUICE_TLS_CERT: current.cert, SLUICE_TLS_KEY: other.key })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^sluice: CONFIG_INVALID: Cannot use the certificate .* do not belong together/),
  });
  expect(await up({ SLUICE_S3_TLS_KEY: other.key })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("s3_tls: a certificate and its key belong together"),
  });
});

describe("a proxy in front", () => {
  async function locationBehind(proxied: RunningServer): Promise<string> {
    const s3: S3Client = s3Of(proxied);
    s3.middlewareStack.add(
      (next) => (args) => {
        Object.assign((args.request as { headers: object }).headers, {
          "x-forwarded-proto": "https",
          "x-forwarded-for": "203.0.113.9",
        });
        return next(args);
      },
      { step: "build", name: "proxy" },
    );
    await applyServices(proxied, [{ name: "any", script: "exit 0\n", input: "proxied/in" }]);
    const target = { Bucket: "proxied", Key: "big" };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
    const part = { ...target, UploadId, PartNumber: 1 };
    const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: "x" }));
    const parts = { Parts: [{ PartNumber: 1, ETag }] };
    const done = await s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: parts }));
    expect(await (await s3.send(new GetObjectCommand(target))).Body?.transformToString()).toBe("x");
    return done.Location ?? "";
  }

  it.each([
    ["127.0.0.1", "https"],
    ["192.0.2.1", "http"],
  ])("is believed when it is trusted: %s", async (trusted, scheme) => {
    const own = await startServer({ env: { SLUICE_TRUSTED_PROXIES: trusted } });
    try {
      const { host } = new URL(own.s3);
      expect(await locationBehind(own)).toBe(`${scheme}://${host}/proxied/big`);
    } finally {
      await own.stop();
    }
  });
});
