import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { signRequest } from "../../src/s3/sign-request.ts";
import { IdleThread } from "../support/idle-thread.ts";
import { ACCESS_KEY, exchange, type S3Process, SECRET_KEY, sha256, startS3 } from "../support/s3-process.ts";

/** Requests that nobody means well: after each batch it is the same process, with the descriptors it had, whose loop was never held up longer
 *  than a thread that does nothing. */

const IDLE_MS = 8000;
const LOOP_P99_MS = 200;

let s3: S3Process;
let pid: number;
let descriptors: number;
let idle: IdleThread;

beforeAll(async () => {
  idle = new IdleThread();
  s3 = await startS3({ idleTimeoutMs: IDLE_MS });
  await s3.call({ method: "PUT", path: "/bucket" });
  // The thread that hashes starts with the first large body, and has descriptors of its own.
  await s3.call({ method: "PUT", path: "/bucket/k" }, { body: Buffer.alloc(5 * 1024 ** 2) });
  await s3.call({ method: "PUT", path: "/bucket/k" }, { body: "text" });
  await s3.call({ method: "GET", path: "/bucket/k" });
  pid = (await s3.health()).pid;
});
afterAll(async () => {
  await s3.stop();
  await idle.stop();
});

beforeEach(async () => {
  descriptors = (await s3.health()).descriptors;
});

afterEach(async () => {
  const closed = async () => (await s3.health()).descriptors;
  const { loopP99Ms, pid: now } = await s3.health();
  expect(now).toBe(pid);
  expect(loopP99Ms).toBeLessThan(LOOP_P99_MS + (await idle.p99Ms()));
  await expect.poll(closed, { timeout: 10_000 }).toBeLessThanOrEqual(descriptors + 5);
  expect((await s3.call({ method: "GET", path: "/bucket/k" })).body.toString()).toBe("text");
  // The log holds what went wrong inside: nothing did.
  expect(s3.log()).not.toMatch(/"code":"InternalError"/);
});

describe("headers", () => {
  const put = { method: "PUT", path: "/bucket/x" };
  const get = { method: "GET", path: "/bucket/k" };

  it.each<[string, Parameters<S3Process["call"]>[0], Readonly<Record<string, string>>, number, string]>([
    ["a checksum that is none", put, { "x-amz-checksum-crc32": "%%%" }, 400, "InvalidRequest"],
    ["a checksum that is too short", put, { "x-amz-checksum-sha256": "AAAA" }, 400, "InvalidRequest"],
    [
      "two checksums of which one is wrong",
      put,
      { "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAQ==" },
      400,
      "BadDigest",
    ],
    ["a checksum nobody knows", put, { "x-amz-checksum-md4": "AAAA" }, 501, "NotImplemented"],
    ["a Content-MD5 that is none", put, { "content-md5": "x" }, 400, "InvalidDigest"],
    ["metadata that is too large", put, { "x-amz-meta-a": "x".repeat(3000) }, 400, "MetadataTooLarge"],
    [
      "tags that are too many",
      put,
      { "x-amz-tagging": Array.from({ length: 11 }, (_, n) => `k${n}=v`).join("&") },
      400,
      "InvalidTag",
    ],
    ["tags that are no tags", put, { "x-amz-tagging": "%zz=%" }, 400, "InvalidURI"],
    ["a storage class that is not here", put, { "x-amz-storage-class": "GLACIER" }, 501, "NotImplemented"],
    ["a copy from nowhere", put, { "x-amz-copy-source": "nowhere" }, 400, "InvalidArgument"],
    ["a copy source that is no address", put, { "x-amz-copy-source": "/bucket/%zz" }, 400, "InvalidURI"],
    [
      "a directive that is none",
      put,
      { "x-amz-copy-source": "/bucket/k", "x-amz-metadata-directive": "MOVE" },
      400,
      "InvalidArgument",
    ],
    ["an encryption that is not here", put, { "x-amz-server-side-encryption": "aws:kms" }, 501, "NotImplemented"],
    ["an ACL that is not here", put, { "x-amz-acl": "public-read-write" }, 400, "AccessControlListNotSupported"],
    ["a range outside", get, { range: "bytes=100-" }, 416, "InvalidRange"],
    [
      "attributes that are none",
      { method: "GET", path: "/bucket/k", query: [["attributes", ""]] },
      { "x-amz-object-attributes": "Colour" },
      400,
      "InvalidArgument",
    ],
  ])("with %s are refused", async (_what, request, headers, status, code) => {
    expect(await s3.call({ ...request, headers })).toMatchObject({ status, code });
  });

  it.each([
    "bytes=",
    "bytes=a-b",
    "bytes=5-2",
    "lines=1-2",
    "bytes=0-1,2-3",
    "bytes=--1",
    "bytes=99999999999999999999-",
  ])("with the range %s are answered with all or refused, never with an error of the server's", async (range) => {
    expect((await s3.call({ ...get, headers: { range } })).status).toBeLessThan(500);
  });

  it.each([
    ["max-keys", "-1"],
    ["max-keys", "1e9"],
    ["encoding-type", "base64"],
    ["continuation-token", "!!"],
    ["partNumber", "0"],
    ["versionId", ""],
  ])("with the parameter %s=%s are refused", async (name, value) => {
    const path = name === "partNumber" || name === "versionId" ? "/bucket/k" : "/bucket";
    const query: Array<[string, string]> =
      path === "/bucket"
        ? [
            ["list-type", "2"],
            [name, value],
          ]
        : [[name, value]];
    expect((await s3.call({ method: "GET", path, query })).status).toBeGreaterThanOrEqual(400);
    expect((await s3.call({ method: "GET", path, query })).status).toBeLessThan(500);
  });
});

describe("XML", () => {
  const CALLS: ReadonlyArray<readonly [string, string, string, string]> = [
    ["POST", "/bucket", "delete", "Delete"],
    ["PUT", "/bucket", "versioning", "VersioningConfiguration"],
    ["PUT", "/bucket", "tagging", "Tagging"],
    ["PUT", "/bucket", "lifecycle", "LifecycleConfiguration"],
    ["PUT", "/bucket", "notification", "NotificationConfiguration"],
    ["PUT", "/bucket/k", "tagging", "Tagging"],
  ];
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, n) => `<!ENTITY ${"abcdefghij"[n + 1]} "${`&${"abcdefghij"[n]};`.repeat(10)}">`).join("")}]>`;
  const BODIES: ReadonlyArray<readonly [string, (root: string) => string | Buffer]> = [
    ["nothing", () => ""],
    ["text", () => "hello"],
    ["half a document", (root) => `<${root}><a>`],
    ["another root", () => "<Other/>"],
    ["two roots", (root) => `<${root}/><${root}/>`],
    [
      "bytes that are no UTF-8",
      (root) =>
        Buffer.concat([Buffer.from(`<${root}><Key>`), Buffer.from([0xff, 0xfe]), Buffer.from(`</Key></${root}`)]),
    ],
    ["a bomb of entities", (root) => `${bomb}<${root}>&j;</${root}>`],
    ["an entity from a file", (root) => `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><${root}>&f;</${root}>`],
    ["100,000 levels", (root) => `<${root}>${"<a>".repeat(100_000)}${"</a>".repeat(100_000)}</${root}>`],
    ["100,000 attributes", (root) => `<${root} ${Array.from({ length: 100_000 }, (_, n) => `a${n}="x"`).join(" ")}`],
    ["9 MiB", (root) => `<${root}>${"<x>y</x>".repeat(1_200_000)}</${root}>`],
    ["a comment that does not end", (root) => `<${root}><!-- ${"-".repeat(100_000)}`],
  ];

  /** Sends a document to a call. */
  async function send(
    [method, path, query, root]: (typeof CALLS)[number],
    bodyOf: (typeof BODIES)[number][1],
    value = "",
  ): Promise<readonly [status: number, code: string | undefined]> {
    const body = Buffer.from(bodyOf(root) as string);
    const headers = { "content-length": String(body.length) };
    const { status, code } = await s3.call({ method, path, query: [[query, value]], headers }, { body });
    return [status, code];
  }
  const REFUSED = [400, expect.stringMatching(/^(MalformedXML|EntityTooLarge|InvalidArgument|InvalidPart)$/)];

  it.each(BODIES)("of %s is refused by every call that takes a document", async (_what, bodyOf) => {
    for (const call of CALLS) expect(await send(call, bodyOf), `${call[2]} of ${call[3]}`).toEqual(REFUSED);
  });

  it("of a completion is refused likewise", async () => {
    const begun = await s3.call({ method: "POST", path: "/bucket/u", query: [["uploads", ""]] });
    const uploadId = /<UploadId>(\w+)</.exec(begun.body.toString())?.[1] ?? "";
    const completion = ["POST", "/bucket/u", "uploadId", "CompleteMultipartUpload"] as const;
    for (const [what, bodyOf] of BODIES) expect(await send(completion, bodyOf, uploadId), what).toEqual(REFUSED);
    await s3.call({ method: "DELETE", path: "/bucket/u", query: [["uploadId", uploadId]] });
  });
});

describe("lines that are no HTTP", () => {
  const HOST = (): string => `Host: ${s3.host}\r\n`;
  it.each<[string, () => string]>([
    ["two lengths", () => `PUT /bucket/x HTTP/1.1\r\n${HOST()}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
    [
      "a length and chunks",
      () => `PUT /bucket/x HTTP/1.1\r\n${HOST()}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a length that is none", () => `PUT /bucket/x HTTP/1.1\r\n${HOST()}Content-Length: -1\r\n\r\n`],
    ["a chunk size that is none", () => `PUT /bucket/x HTTP/1.1\r\n${HOST()}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ["a header without a name", () => `GET /bucket/k HTTP/1.1\r\n${HOST()}: x\r\n\r\n`],
    ["a header folded over lines", () => `GET /bucket/k HTTP/1.1\r\n${HOST()}X: a\r\n b\r\n\r\n`],
    ["a NUL in a header", () => `GET /bucket/k HTTP/1.1\r\n${HOST()}X: a\0b\r\n\r\n`],
    ["no host", () => "GET /bucket/k HTTP/1.1\r\n\r\n"],
    ["another host", () => "GET /bucket/k HTTP/1.1\r\nHost: evil.example\r\n\r\n"],
    ["5,000 headers", () => `GET /bucket/k HTTP/1.1\r\n${HOST()}${"A: b\r\n".repeat(5000)}\r\n`],
    ["a method of its own", () => `BREW /bucket/k HTTP/1.1\r\n${HOST()}\r\n`],
    ["the beginning of TLS", () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["HTTP/2", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])("get an answer or the end of the connection: %s", async (_what, text) => {
    const answer = await exchange(await s3.connect(), [text()]);
    expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
  });
});

function signedHead(method: string, path: string): string {
  const signed = signRequest(
    { method, path, host: s3.host, payloadHash: "UNSIGNED-PAYLOAD" },
    { credentials: { accessKeyId: ACCESS_KEY, secretKey: SECRET_KEY }, at: Date.now() },
  );
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function dial(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: s3.port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

describe("many connections", () => {
  it("10,000 that say nothing hold nobody else up, and are let go", async () => {
    const sockets: Socket[] = [];
    for (let batch = 0; batch < 100; batch++) {
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, dial))));
    }
    for (const socket of sockets) socket.on("error", () => undefined);
    expect((await s3.health()).descriptors).toBeGreaterThan(5000);
    const asked = await Promise.all(Array.from({ length: 20 }, () => s3.call({ method: "GET", path: "/bucket/k" })));
    expect(asked.every(({ status }) => status === 200)).toBe(true);
    for (const socket of sockets) socket.destroy();
  }, 60_000);

  it("200 that send a header a byte at a time are cut off", async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, dial));
    const closed = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    for (const socket of sockets) {
      socket.on("error", () => undefined);
      socket.write(`GET /bucket/k HTTP/1.1\r\nHost: ${s3.host}\r\nX: `);
    }
    await closed;
  }, 60_000);

  it("200 that send a body a byte at a time are served beside others", async () => {
    const text = "slow but moving, a byte at a time";
    const headers = { "content-length": String(text.length), "x-amz-content-sha256": sha256(text) };
    const slow = Array.from({ length: 200 }, async (_, n) => {
      const request = s3.call({ method: "PUT", path: `/bucket/slow-${n}`, headers }, { body: text });
      return (await request).status;
    });
    expect(new Set(await Promise.all(slow))).toEqual(new Set([200]));
  });

  it("300 that close their half in the middle of a body leave nothing", async () => {
    await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const text = `PUT /bucket/half-${n} HTTP/1.1\r\nHost: ${s3.host}\r\nContent-Length: 100\r\n\r\nhalf`;
        expect(await exchange(await s3.connect(), [text])).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
      }),
    );
  });

  it("200 that vanish in the middle of an answer leave nothing", async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 1);
    await s3.call({ method: "PUT", path: "/bucket/big", headers: { "content-length": String(body.length) } }, { body });
    const vanish = async (): Promise<void> => {
      const socket = await dial();
      socket.on("error", () => undefined);
      socket.write(signedHead("GET", "/bucket/big"));
      await new Promise((resolve) => socket.once("data", resolve));
      socket.destroy();
    };
    for (let batch = 0; batch < 10; batch++) await Promise.all(Array.from({ length: 20 }, vanish));
  }, 120_000);
});
