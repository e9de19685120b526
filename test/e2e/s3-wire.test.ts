import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signRequest } from "../../src/s3/sign-request.ts";
import { ACCESS_KEY, exchange, type S3Process, SECRET_KEY, sha256, startS3 } from "../support/s3-process.ts";

// Programs of every Linux system.
const [MOUNT, UNMOUNT, CHMOD, DD] = ["mount", "umount", "chmod", "dd"] as const;

let s3: S3Process;

beforeAll(async () => {
  s3 = await startS3({ idleTimeoutMs: 1000 });
  expect((await s3.call({ method: "PUT", path: "/bucket" })).status).toBe(200);
});

afterAll(() => s3.stop());

const EMPTY = sha256("");

/** The head of a signed request as text, for requests that no client would send. */
function head(
  method: string,
  path: string,
  headers: Record<string, string>,
  payloadHash = "UNSIGNED-PAYLOAD",
  target = path,
): string {
  const signed = signRequest(
    { method, path, host: s3.host, headers, payloadHash },
    { credentials: { accessKeyId: ACCESS_KEY, secretKey: SECRET_KEY }, at: Date.now() },
  );
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

const codeOf = (answer: string): string | undefined => /<Code>(\w+)<\/Code>/.exec(answer)?.[1];

async function absent(key: string): Promise<boolean> {
  return (await s3.call({ method: "HEAD", path: `/bucket/${key}` })).status === 404;
}

const blobFiles = (): string[] =>
  readdirSync(join(s3.data, "blobs"), { recursive: true, encoding: "utf8" }).filter((name) => name.length > 2);

describe("who may ask", () => {
  it.each([
    ["a wrong secret", { secretKey: "wrong" }, 403, "SignatureDoesNotMatch"],
    ["a clock 16 minutes behind", { at: Date.now() - 16 * 60_000 }, 403, "RequestTimeTooSkewed"],
    ["a clock 16 minutes ahead", { at: Date.now() + 16 * 60_000 }, 403, "RequestTimeTooSkewed"],
    ["an unsigned x-amz header", { extra: { "x-amz-acl": "private" } }, 403, "AccessDenied"],
    ["a changed signed header", { extra: { "x-amz-meta-a": "2" } }, 403, "SignatureDoesNotMatch"],
    ["a host that is not ours", { extra: { host: "evil.example" } }, 421, "MisdirectedRequest"],
    ["Signature Version 2", { extra: { authorization: "AWS AKID:c2ln" } }, 400, "InvalidRequest"],
  ])("refuses %s", async (_, options, status, code) => {
    const request = { method: "PUT", path: "/bucket/k", headers: { "x-amz-meta-a": "1" } };
    const answer = await s3.call(request, { body: "x", ...options });
    expect(answer).toMatchObject({ status, code });
    expect(answer.headers["x-amz-request-id"]).toMatch(/^[0-9A-F]{16}$/);
    expect(await absent("k")).toBe(true);
  });

  it("refuses an unknown key, no signature and half of a presigned address", async () => {
    const unsigned = await exchange(await s3.connect(), [`GET /bucket/k HTTP/1.1\r\nHost: ${s3.host}\r\n\r\n`]);
    expect(codeOf(unsigned)).toBe("AccessDenied");
    const unknown = head("GET", "/bucket/k", {}).replace(ACCESS_KEY, "AKIDOTHER");
    expect(codeOf(await exchange(await s3.connect(), [unknown]))).toBe("InvalidAccessKeyId");
    const presigned = `GET /bucket/k?X-Amz-Signature=00 HTTP/1.1\r\nHost: ${s3.host}\r\n\r\n`;
    expect(codeOf(await exchange(await s3.connect(), [presigned]))).toBe("AuthorizationQueryParametersError");
  });

  it("says both times when clocks differ", async () => {
    const at = Date.UTC(2020, 0, 1);
    const answer = await s3.call({ method: "GET", path: "/" }, { at });
    expect(answer.body.toString()).toContain("2020-01-01T00:00:00.000Z");
    expect(answer.body.toString()).toContain(`<ServerTime>${new Date().toISOString().slice(0, 13)}`);
  });

  it("answers HEAD without a body, whatever went wrong", async () => {
    const answer = await exchange(await s3.connect(), [head("HEAD", "/none/k", { connection: "close" })], false);
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    expect(answer.split("\r\n\r\n")[1]).toBe("");
  });
});

describe("bodies", () => {
  const body = randomBytes(300_000);
  const md5 = createHash("md5").update(body).digest("base64");

  it.each([
    ["a wrong hash", { payloadHash: sha256("other") }, "XAmzContentSHA256Mismatch"],
    ["a wrong MD5", { headers: { "content-md5": createHash("md5").update("other").digest("base64") } }, "BadDigest"],
    ["a Content-MD5 that is none", { headers: { "content-md5": "nonsense" } }, "InvalidDigest"],
    ["a wrong CRC32", { headers: { "x-amz-checksum-crc32": "AAAAAA==" } }, "BadDigest"],
    ["a checksum that is none", { headers: { "x-amz-checksum-crc32": "AAAA" } }, "InvalidRequest"],
    ["an unknown checksum", { headers: { "x-amz-checksum-md4": "AAAA" } }, "NotImplemented"],
    ["an unknown payload form", { payloadHash: "STREAMING-NONSENSE" }, "NotImplemented"],
    ["a public ACL", { headers: { "x-amz-acl": "public-read" } }, "AccessControlListNotSupported"],
  ])("with %s are refused and leave nothing", async (_, request, code) => {
    const files = blobFiles().length;
    const answer = await s3.call({ method: "PUT", path: "/bucket/wrong", ...request }, { body });
    expect(answer.code).toBe(code);
    expect(await absent("wrong")).toBe(true);
    expect(blobFiles().length).toBe(files);
  });

  it("with all of it right are stored", async () => {
    const headers = { "content-md5": md5 };
    const answer = await s3.call(
      { method: "PUT", path: "/bucket/right", headers, payloadHash: sha256(body) },
      { body },
    );
    expect(answer.status).toBe(200);
    expect((await s3.call({ method: "GET", path: "/bucket/right" })).body.equals(body)).toBe(true);
  });

  it.each([0, 1, 100_000])("cut off after %d of their bytes get IncompleteBody and leave nothing", async (sent) => {
    const files = blobFiles().length;
    const request = head("PUT", "/bucket/cut", { "content-length": "300000" });
    const answer = await exchange(await s3.connect(), [request, body.subarray(0, sent)]);
    expect(codeOf(answer)).toBe("IncompleteBody");
    expect(await absent("cut")).toBe(true);
    await expect.poll(() => blobFiles().length).toBe(files);
  });

  it("whose connection is torn down leave nothing", async () => {
    const files = blobFiles().length;
    const socket = await s3.connect();
    socket.write(head("PUT", "/bucket/torn", { "content-length": "900000" }));
    socket.write(body);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(blobFiles().length).toBe(files);
    expect(await absent("torn")).toBe(true);
  });

  it("without a length are asked for one, and chunked ones need none", async () => {
    expect(codeOf(await exchange(await s3.connect(), [head("PUT", "/bucket/none", {})]))).toBe("MissingContentLength");
    const chunked = head("PUT", "/bucket/chunked", { "transfer-encoding": "chunked", connection: "close" });
    expect(await exchange(await s3.connect(), [chunked, "3\r\nabc\r\n0\r\n\r\n"], false)).toMatch(/^HTTP\/1.1 200 /);
    expect((await s3.call({ method: "GET", path: "/bucket/chunked" })).body.toString()).toBe("abc");
  });

  it("in aws-chunked need no announced length, and are checked against one", async () => {
    const trailers = {
      "x-amz-trailer": "x-amz-checksum-crc32",
      "content-encoding": "aws-chunked",
      "transfer-encoding": "chunked",
      connection: "close",
    };
    const inner = "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n";
    const outer = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
    const send = async (key: string, more: Record<string, string>, text = outer) =>
      exchange(
        await s3.connect(),
        [head("PUT", `/bucket/${key}`, { ...trailers, ...more }, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), text],
        false,
      );
    expect(await send("aws", {})).toMatch(/^HTTP\/1.1 200 /);
    const stored = await s3.call({ method: "GET", path: "/bucket/aws", headers: { "x-amz-checksum-mode": "ENABLED" } });
    expect(stored.body.toString()).toBe("abc");
    expect(stored.headers).toMatchObject({ "x-amz-checksum-crc32": "NSRBwg==" });
    expect(stored.headers["content-encoding"]).toBeUndefined();
    expect(codeOf(await send("bad", { "x-amz-decoded-content-length": "4" }))).toBe("IncompleteBody");
    expect(codeOf(await send("bad", {}, outer.replace("NSRB", "XSRB")))).toBe("BadDigest");
    expect(codeOf(await send("bad", {}, outer.replace("3\r\nabc", "2\r\nabc")))).toBe("InvalidRequest");
    expect(await absent("bad")).toBe(true);
  });

  it("that go silent end after the idle time, with an answer", async () => {
    const files = blobFiles().length;
    const request = head("PUT", "/bucket/silent", { "content-length": "300000" });
    const answer = await exchange(await s3.connect(), [request, body.subarray(0, 290_000)], false);
    expect(codeOf(answer)).toBe("RequestTimeout");
    await expect.poll(() => blobFiles().length).toBe(files);
  });

  it("that are slow but move are waited for", async () => {
    const socket = await s3.connect();
    socket.write(head("PUT", "/bucket/slow", { "content-length": "6", connection: "close" }));
    for (const byte of "abcdef") {
      await new Promise((resolve) => setTimeout(resolve, 400));
      socket.write(byte);
    }
    expect(await exchange(socket, [], false)).toMatch(/^HTTP\/1.1 200 /);
  });

  it("of refused requests are drained, so that the answer arrives and the connection lives on", async () => {
    const large = randomBytes(8 * 1024 * 1024);
    const refused = head("PUT", "/none/k", { "content-length": String(large.length) });
    const answer = await exchange(
      await s3.connect(),
      [refused, large, head("GET", "/", { connection: "close" })],
      false,
    );
    expect(codeOf(answer)).toBe("NoSuchBucket");
    expect(answer).toContain("ListAllMyBucketsResult");
  });
});

describe("readers", () => {
  it("that stop are cut off after the idle time; slow ones that move get everything", async () => {
    await s3.call({ method: "PUT", path: "/bucket/large" }, { body: randomBytes(40 * 1024 * 1024) });
    const request = head("GET", "/bucket/large", { connection: "close" });
    const stopped = await s3.connect();
    stopped.pause();
    stopped.write(request);
    const slow = await s3.connect();
    let got = 0;
    slow.on("data", (chunk: Buffer) => {
      got += chunk.length;
      slow.pause();
      setTimeout(() => slow.resume(), 3);
    });
    slow.write(request);
    await new Promise((resolve) => slow.once("end", resolve));
    expect(got).toBeGreaterThan(40 * 1024 * 1024);
    let partly = 0;
    stopped.on("data", (chunk: Buffer) => {
      partly += chunk.length;
    });
    stopped.on("error", () => undefined);
    stopped.resume();
    await new Promise((resolve) => stopped.once("close", resolve).once("end", resolve));
    expect(partly).toBeLessThan(40 * 1024 * 1024);
    stopped.destroy();
    slow.destroy();
  });
});

describe("Expect: 100-continue", () => {
  const request = (key: string) => ({
    method: "PUT",
    path: `/bucket/${key}`,
    headers: { expect: "100-continue", "content-length": "3" },
  });

  it("is answered when the request may go on", async () => {
    const answer = await s3.call(request("expected"), { body: "abc" });
    expect(answer).toMatchObject({ status: 200, informed: true });
  });

  it.each([
    ["signature", request("refused"), { secretKey: "wrong" }, "SignatureDoesNotMatch"],
    ["bucket", { ...request("refused"), path: "/none/k" }, {}, "NoSuchBucket"],
    ["key", { ...request("refused"), path: `/bucket/${"k".repeat(1025)}` }, {}, "KeyTooLongError"],
  ])("is not, when the %s is wrong: no byte of the body is sent", async (_, refused, options, code) => {
    const answer = await s3.call(refused, { body: "abc", ...options });
    expect(answer).toMatchObject({ code, informed: false });
    expect(answer.headers.connection).toBe("close");
  });
});

describe("addresses as they stand on the wire", () => {
  it("keep dots, slashes and raw bytes", async () => {
    const send = async (method: string, key: string, target: string, text = "") => {
      const headers =
        method === "PUT" ? { "content-length": String(text.length), connection: "close" } : { connection: "close" };
      return exchange(
        await s3.connect(),
        [head(method, `/bucket/${key}`, headers, "UNSIGNED-PAYLOAD", target), text],
        false,
      );
    };
    for (const [key, target] of [
      ["../x", "/bucket/../x"],
      ["a//b", "/bucket/a//b"],
      ["a/b", "/bucket/a%2fb"],
      ["plus+", "/bucket/plus+"],
      ["(!)'*", "/bucket/(!)'*"],
    ] as const) {
      expect(await send("PUT", key, target, "text"), target).toMatch(/^HTTP\/1.1 200 /);
      expect((await s3.call({ method: "GET", path: `/bucket/${key}` })).body.toString(), key).toBe("text");
    }
    expect(codeOf(await send("GET", "x", "/bucket/é"))).toBe("BadRequest");
    expect(codeOf(await send("GET", "x", "/bucket/%zz"))).toBe("InvalidURI");
    expect(codeOf(await send("GET", "x", "/bucket/%FF"))).toBe("InvalidURI");
    expect(codeOf(await send("GET", "x", "http://evil.example/bucket/x"))).toBe("InvalidURI");
  });

  it("that are no HTTP at all get an answer too", async () => {
    expect(codeOf(await exchange(await s3.connect(), ["nonsense\r\n\r\n"]))).toBe("BadRequest");
    const long = `GET / HTTP/1.1\r\nHost: ${s3.host}\r\nX: ${"x".repeat(100_000)}\r\n\r\n`;
    expect(codeOf(await exchange(await s3.connect(), [long], false))).toBe("RequestHeaderSectionTooLarge");
  });

  it("repeat headers, whose values are signed joined by commas", async () => {
    const request = head("PUT", "/bucket/multi", { "content-length": "1", "x-amz-meta-m": "a,b", connection: "close" });
    const split = request.replace("x-amz-meta-m: a,b\r\n", "x-amz-meta-m: a \r\nX-Amz-Meta-M:   b\r\n");
    expect(await exchange(await s3.connect(), [split, "x"], false)).toMatch(/^HTTP\/1.1 200 /);
    expect((await s3.call({ method: "HEAD", path: "/bucket/multi" })).headers["x-amz-meta-m"]).toBe("a,b");
  });
});

describe("XML", () => {
  it("holds what keys hold, escaped, and references where XML has no character", async () => {
    await s3.call({ method: "PUT", path: "/bucket/x<&>\u0001", payloadHash: EMPTY }, { body: "" });
    const listing = await s3.call({
      method: "GET",
      path: "/bucket",
      query: [
        ["list-type", "2"],
        ["prefix", "x<"],
      ],
    });
    expect(listing.body.toString()).toContain("<Key>x&lt;&amp;&gt;&#x1;</Key>");
  });

  it.each([
    ["<a>", "MalformedXML"],
    ['<!DOCTYPE a [<!ENTITY b "c">]><CreateBucketConfiguration>&b;</CreateBucketConfiguration>', "MalformedXML"],
    ["<Other/>", "MalformedXML"],
    [`<CreateBucketConfiguration>${"x".repeat(70_000)}</CreateBucketConfiguration>`, "EntityTooLarge"],
  ])("that is wrong is refused: %.30s", async (body, code) => {
    expect((await s3.call({ method: "PUT", path: "/another" }, { body })).code).toBe(code);
    expect((await s3.call({ method: "HEAD", path: "/another" })).status).toBe(404);
  });
});

describe("a server with little", () => {
  it("refuses uploads while less than the kept space is free, and still deletes", async () => {
    const data = mkdtempSync(join(tmpdir(), "sluice-full-"));
    const roomy = await startS3({ data });
    await roomy.call({ method: "PUT", path: "/bucket" });
    await roomy.call({ method: "PUT", path: "/bucket/k" }, { body: randomBytes(100_000) });
    await roomy.stop();
    const full = await startS3({ data, keepFreeBytes: 2 ** 50 });
    const answer = await full.call({ method: "PUT", path: "/bucket/new" }, { body: "x" });
    expect(answer).toMatchObject({ status: 507, code: "XMinioStorageFull" });
    expect((await full.call({ method: "GET", path: "/bucket/k" })).body.length).toBe(100_000);
    expect((await full.call({ method: "DELETE", path: "/bucket/k" })).status).toBe(204);
    await full.stop();
    rmSync(data, { recursive: true });
  });

  it.runIf(process.getuid?.() === 0)(
    "answers a disk that fills up while it writes, keeps nothing of it and lives on",
    async () => {
      const data = mkdtempSync(join(tmpdir(), "sluice-full-"));
      execFileSync(MOUNT, ["-t", "tmpfs", "-o", "size=24m", "tmpfs", data]);
      const small = await startS3({ data, keepFreeBytes: -(2 ** 40) });
      try {
        await small.call({ method: "PUT", path: "/bucket" });
        const answer = await small.call(
          { method: "PUT", path: "/bucket/big" },
          { body: randomBytes(40 * 1024 * 1024) },
        );
        expect(answer).toMatchObject({ status: 507, code: "XMinioStorageFull" });
        expect((await small.call({ method: "HEAD", path: "/bucket/big" })).status).toBe(404);
        expect(
          (await small.call({ method: "PUT", path: "/bucket/fits" }, { body: randomBytes(1024 * 1024) })).status,
        ).toBe(200);
      } finally {
        await small.stop();
        execFileSync(UNMOUNT, [data]);
        rmSync(data, { recursive: true });
      }
    },
  );

  it("answers SlowDown when it has too much to do", async () => {
    const busy = await startS3({ maxRequests: 1 });
    const socket = await busy.connect();
    const signed = signRequest(
      { method: "PUT", path: "/bucket/k", host: busy.host, headers: { "content-length": "5", connection: "close" } },
      { credentials: { accessKeyId: ACCESS_KEY, secretKey: SECRET_KEY }, at: Date.now() },
    );
    await busy.call({ method: "PUT", path: "/bucket" });
    socket.write(
      `PUT /bucket/k HTTP/1.1\r\n${Object.entries(signed)
        .map(([n, v]) => `${n}: ${v}\r\n`)
        .join("")}\r\n`,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const answer = await busy.call({ method: "GET", path: "/" });
    expect(answer).toMatchObject({ status: 503, code: "SlowDown" });
    expect(answer.headers["retry-after"]).toBe("1");
    expect(await exchange(socket, ["hello"], false)).toMatch(/^HTTP\/1.1 200 /);
    await busy.stop();
  });
});

describe("a server that was killed", () => {
  it("has what it acknowledged, and removes files that no row names", async () => {
    const data = mkdtempSync(join(tmpdir(), "sluice-killed-"));
    const first = await startS3({ data });
    await first.call({ method: "PUT", path: "/bucket" });
    const body = randomBytes(100_000);
    await first.call({ method: "PUT", path: "/bucket/k" }, { body });
    await first.kill();
    const orphan = join(data, "blobs", "ab", `ab${"0".repeat(30)}`);
    mkdirSync(join(data, "blobs", "ab"), { recursive: true });
    writeFileSync(orphan, "left by a crash");
    const second = await startS3({ data, unclean: true });
    const files = () =>
      readdirSync(join(data, "blobs"), { recursive: true, encoding: "utf8" }).filter((name) => name.length > 2);
    await expect.poll(() => files().length, { timeout: 10_000 }).toBe(1);
    expect((await second.call({ method: "GET", path: "/bucket/k" })).body.equals(body)).toBe(true);
    await second.stop();
    rmSync(data, { recursive: true });
  });

  it("says that an object is damaged instead of sending wrong bytes", async () => {
    const body = randomBytes(400_000);
    await s3.call({ method: "PUT", path: "/bucket/damaged" }, { body });
    const newest = blobFiles().map((name) => join(s3.data, "blobs", name));
    for (const file of newest) {
      execFileSync(CHMOD, ["600", file]);
      execFileSync(DD, ["if=/dev/zero", `of=${file}`, "bs=1", "seek=1000", "count=16", "conv=notrunc"], {
        stdio: "ignore",
      });
    }
    const answer = await s3.call({ method: "GET", path: "/bucket/damaged" });
    expect(answer).toMatchObject({ status: 500, code: "InternalError" });
    expect(s3.log()).toContain("DATA_CORRUPT");
    for (const file of newest) rmSync(file);
    expect((await s3.call({ method: "GET", path: "/bucket/damaged" })).code).toBe("InternalError");
  });
});
