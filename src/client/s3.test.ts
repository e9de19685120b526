import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { headerTable } from "../s3/canonical-request.ts";
import { verifySignature } from "../s3/signature.ts";
import { readClaim } from "../s3/signature-claim.ts";
import { createS3Client, type S3Client } from "./s3.ts";

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

type Respond = (request: Seen, response: ServerResponse, socket: Socket) => void;

let server: Server;
let client: S3Client;
let seen: Seen[];
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

/** A server that keeps what it was asked and answers as told, one answer a call and the last for all further ones. */
async function serve(...answers: readonly Respond[]): Promise<void> {
  seen = [];
  let call = 0;
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url: target = "", headers, rawHeaders } = request;
    const one = { method, target, headers, rawHeaders, body: Buffer.concat(chunks) };
    seen.push(one);
    const answer = answers[Math.min(call, answers.length - 1)];
    call += 1;
    answer?.(one, response, request.socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  client = createS3Client({
    endpoint: `http://127.0.0.1:${port}`,
    accessKey: "AKID",
    secretKey: "secret",
    idleMs: 2000,
  });
}

const ok =
  (body = "", headers: Record<string, string> = {}): Respond =>
  (_request, response) =>
    response.writeHead(200, headers).end(body);

const xmlError = (status: number, code: string, message: string): Respond => {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return (_request, response) => response.writeHead(status, { "content-type": "application/xml" }).end(body);
};

/** True when the signature covers the request as it came over the wire. */
function isSigned({ method, target, rawHeaders }: Seen): boolean {
  const [path = "", query = ""] = target.split("?", 2);
  const pairs = query === "" ? [] : query.split("&").map((pair) => pair.split("=").map(decodeURIComponent));
  const request = {
    method,
    path: decodeURIComponent(path),
    query: pairs.map(([name = "", value = ""]) => [name, value] as const),
    headers: headerTable(rawHeaders),
  };
  verifySignature(readClaim(request), "secret", request, Date.now());
  return true;
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe("what goes over the wire", () => {
  const keys = ["in/a b+c.jpg", "../../etc/passwd", "./x//y/", "ü/😀", "100%", "a?b#c&d=e", "(it's)!*~", "\u0001"];
  it.each(keys)("is signed as it stands there, with the key %j byte for byte", async (key) => {
    await serve(ok("", { etag: '"abc"' }));
    await client.put("photos", key, Buffer.from("x"), 1);
    const [request] = seen;
    expect(decodeURIComponent(request?.target ?? "")).toBe(`/photos/${key}`);
    expect(request && isSigned(request)).toBe(true);
  });

  it("has a length, the type given and every byte of a stream", async () => {
    await serve(ok("", { etag: '"0123"' }));
    const etag = await client.put("photos", "k", pieces("one ", "two ", "three"), 13, "image/png");
    expect(etag).toBe("0123");
    expect(seen[0]).toMatchObject({
      method: "PUT",
      headers: { "content-length": "13", "content-type": "image/png", "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
    });
    expect(seen[0]?.body.toString()).toBe("one two three");
  });

  it("may be an empty object", async () => {
    await serve(ok("", { etag: '"0"' }));
    await client.put("photos", "k", pieces(), 0);
    expect([seen[0]?.headers["content-length"], seen[0]?.body.length]).toEqual(["0", 0]);
  });

  it("goes over few connections, kept open", async () => {
    await serve(ok());
    const ports = new Set<number>();
    server.on("connection", (socket: Socket) => ports.add(socket.remotePort ?? 0));
    for (let at = 0; at < 5; at += 1) await client.remove("photos", `k${at}`);
    expect(ports.size).toBeLessThan(3);
  });
});

describe("objects", () => {
  it("are read from a place on, if they are still the same", async () => {
    await serve(ok("rest", { etag: '"abc"', "content-type": "image/png", "last-modified": "yesterday" }));
    const { body, facts } = await client.get("photos", "k", { from: 5, ifMatch: "abc" });
    expect(Buffer.concat(await Array.fromAsync(body)).toString()).toBe("rest");
    expect(facts).toMatchObject({ etag: "abc", contentType: "image/png", lastModified: "yesterday" });
    expect(seen[0]?.headers).toMatchObject({ range: "bytes=5-", "if-match": '"abc"' });
  });

  it("that are not there are null for head", async () => {
    await serve((_request, response) => response.writeHead(404).end());
    expect(await client.head("photos", "k")).toBeNull();
  });

  it("that break off are an error of the stream, not an end", async () => {
    await serve((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setTimeout(() => response.destroy(), 20);
    });
    const { body } = await client.get("photos", "k");
    await expect(Array.fromAsync(body)).rejects.toMatchObject({ code: "BODY_TRUNCATED", retryable: true });
  });
});

describe("listings", () => {
  it("come with keys decoded, page by page", async () => {
    const page = (next: string): string => `<ListBucketResult><IsTruncated>${next !== ""}</IsTruncated>
      ${next === "" ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`}
      <Contents><Key>in/a+b%2B%C3%BC.jpg</Key><Size>5</Size><ETag>&quot;e1&quot;</ETag><LastModified>t</LastModified></Contents>
      <CommonPrefixes><Prefix>in/sub+folder/</Prefix></CommonPrefixes></ListBucketResult>`;
    await serve(ok(page("tok en")), ok(page("")));
    const first = await client.list("photos", { prefix: "in/", delimiter: "/", limit: 2 });
    expect(first).toEqual({
      objects: [{ key: "in/a b+ü.jpg", sizeBytes: 5, etag: "e1", lastModified: "t" }],
      commonPrefixes: ["in/sub folder/"],
      next: "tok en",
    });
    expect((await client.list("photos", { after: first.next ?? "" })).next).toBeNull();
    expect(seen.map(({ target }) => target)).toEqual([
      "/photos?list-type=2&encoding-type=url&prefix=in%2F&delimiter=%2F&max-keys=2",
      "/photos?list-type=2&encoding-type=url&continuation-token=tok%20en",
    ]);
    expect(seen.every(isSigned)).toBe(true);
  });

  it("of nothing are empty", async () => {
    await serve(ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"));
    expect(await client.list("photos")).toEqual({ objects: [], commonPrefixes: [], next: null });
  });

  it("of buckets name each", async () => {
    const bucket = (name: string): string => `<Bucket><Name>${name}</Name><CreationDate>t</CreationDate></Bucket>`;
    await serve(ok(`<ListAllMyBucketsResult><Buckets>${bucket("a")}${bucket("b")}</Buckets></ListAllMyBucketsResult>`));
    expect((await client.buckets()).map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("errors", () => {
  it.each([
    [404, "NoSuchBucket", "BUCKET_UNKNOWN"],
    [403, "SignatureDoesNotMatch", "UNAUTHENTICATED"],
    [507, "XMinioStorageFull", "DISK_FULL"],
    [418, "toString", "INTERNAL"],
  ])("%i %s is %s with the server's sentence", async (status, s3Code, code) => {
    await serve(xmlError(status, s3Code, "Cannot do it: because"));
    await expect(client.createBucket("photos")).rejects.toMatchObject({ code, message: "Cannot do it: because" });
  });

  it("that come before a body was read are told, not the broken pipe", async () => {
    await serve(ok());
    server.removeAllListeners("request");
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(507).end("<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>");
      response.on("finish", () => request.socket.destroy());
    });
    const big = async function* () {
      for (let at = 0; at < 200; at += 1) yield Buffer.alloc(256 * 1024);
    };
    await expect(client.put("photos", "k", big(), 200 * 256 * 1024)).rejects.toMatchObject({ code: "DISK_FULL" });
  });

  it("of a source end the call and reach its caller", async () => {
    await serve(ok());
    const broken = async function* () {
      yield Buffer.from("x");
      throw new Error("the file vanished");
    };
    await expect(client.put("photos", "k", broken(), 100)).rejects.toThrow("the file vanished");
  });

  it("of a server that is silent come after a while", async () => {
    await serve(() => {});
    client.close();
    const { port } = server.address() as AddressInfo;
    client = createS3Client({ endpoint: `http://127.0.0.1:${port}`, accessKey: "a", secretKey: "b", idleMs: 50 });
    await expect(client.buckets()).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it("of a server that is not there say how to start it", async () => {
    await serve(ok());
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const lost = createS3Client({ endpoint: `http://127.0.0.1:${port}`, accessKey: "a", secretKey: "b" });
    await expect(lost.buckets()).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("sluice up"),
    });
    lost.close();
  });
});

it("sends a call without a body again when the kept connection was ended under it, and only then", async () => {
  const cut: Respond = (_request, _response, socket) => socket.resetAndDestroy();
  await serve(ok(), cut, ok());
  await client.remove("photos", "first");
  await new Promise((resolve) => setTimeout(resolve, 20));
  await client.remove("photos", "second");
  expect(seen.map(({ target }) => target)).toEqual(["/photos/first", "/photos/second", "/photos/second"]);
  client.close();
  server.close();
  await serve(cut);
  await expect(client.remove("photos", "k")).rejects.toMatchObject({ code: "UNREACHABLE" });
  expect(seen).toHaveLength(1);
});
