import { request } from "node:http";
import { text } from "node:stream/consumers";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";

/** Names below `localhost` are this machine's for the system's resolver, so that a client can be sent to `photos.localhost`. */
const DOMAIN = "localhost";

let server: RunningServer;
let client: S3Client;
beforeAll(async () => {
  server = await startServer({ env: { SLUICE_S3_DOMAIN: DOMAIN } });
  await server.cli(["mb", "photos"]);
  const { access_key, secret_key } = server.admin;
  client = new S3Client({
    endpoint: `http://${DOMAIN}:${new URL(server.s3).port}`,
    region: "us-east-1",
    forcePathStyle: false,
    credentials: { accessKeyId: access_key, secretAccessKey: secret_key },
  });
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

/** Asks this machine under another name. */
async function ask(address: string): Promise<{ status: number; body: string }> {
  const url = new URL(address);
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const outgoing = request({
    host: "127.0.0.1",
    port: url.port,
    path: url.pathname + url.search,
    headers: { host: url.host },
  });
  outgoing.on("response", async (answer) => resolve({ status: answer.statusCode ?? 0, body: await text(answer) }));
  outgoing.on("error", reject);
  outgoing.end();
  return promise;
}

it("a bucket has a host name of its own", async () => {
  const put = await getSignedUrl(client, new GetObjectCommand({ Bucket: "photos", Key: "in/a b.txt" }));
  expect(new URL(put).hostname).toBe("photos.localhost");
  const key = { Bucket: "photos", Key: "in/a b.txt" };
  await sendUnder(new PutObjectCommand({ ...key, Body: "text" }));
  expect(await ask(put)).toEqual({ status: 200, body: "text" });
  const list = await getSignedUrl(client, new ListObjectsV2Command({ Bucket: "photos", Prefix: "in/" }));
  expect((await ask(list)).body).toContain("<Key>in/a b.txt</Key>");
});

/** The same server under its address, path style. */
async function sendUnder(command: PutObjectCommand): Promise<void> {
  const { access_key, secret_key } = server.admin;
  const plain = new S3Client({
    endpoint: server.s3,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: access_key, secretAccessKey: secret_key },
  });
  await plain.send(command);
  plain.destroy();
}

it("a name beside the domain is misdirected", async () => {
  const { port } = new URL(server.s3);
  expect((await ask(`http://photos.other.example:${port}/in/`)).status).toBe(421);
});
