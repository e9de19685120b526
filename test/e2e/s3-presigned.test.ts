import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, expect, it } from "vitest";
import { presignedTarget } from "../../src/s3/sign-request.ts";
import { ACCESS_KEY, type S3Process, SECRET_KEY, startS3 } from "../support/s3-process.ts";

const Bucket = "bucket";
let s3: S3Process;
beforeAll(async () => {
  s3 = await startS3();
  await s3.call({ method: "PUT", path: `/${Bucket}` });
  await s3.call({ method: "PUT", path: `/${Bucket}/a b+ä` }, { body: "text" });
});
afterAll(() => s3.stop());

const codeIn = (text: string): string | undefined => /<Code>(\w+)<\/Code>/.exec(text)?.[1];

it("an address lets whoever has it read the object, with the headers that it asks for", async () => {
  const command = new GetObjectCommand({ Bucket, Key: "a b+ä", ResponseContentDisposition: "attachment; filename=x" });
  const answer = await fetch(await getSignedUrl(s3.client, command, { expiresIn: 60 }));
  expect(await answer.text()).toBe("text");
  expect(answer.headers.get("content-disposition")).toBe("attachment; filename=x");
  const ranged = await fetch(await getSignedUrl(s3.client, command), { headers: { range: "bytes=1-2" } });
  expect([ranged.status, await ranged.text()]).toEqual([206, "ex"]);
});

it("an address is for one call on one object", async () => {
  const url = await getSignedUrl(s3.client, new GetObjectCommand({ Bucket, Key: "a b+ä" }));
  const refused = async (other: string, init: RequestInit = {}) => codeIn(await (await fetch(other, init)).text());
  expect(await refused(url, { method: "PUT", body: "new" })).toBe("SignatureDoesNotMatch");
  expect(await refused(url.replace("/a%20b", "/other"))).toBe("SignatureDoesNotMatch");
  expect(await refused(`${url}&versionId=null`)).toBe("SignatureDoesNotMatch");
  expect(await refused(url, { headers: { "x-amz-server-side-encryption-customer-key": "k" } })).toBe("AccessDenied");
  expect((await fetch(url, { method: "HEAD" })).status).toBe(403);
  const head = await getSignedUrl(s3.client, new HeadObjectCommand({ Bucket, Key: "a b+ä" }));
  expect((await fetch(head, { method: "HEAD" })).status).toBe(200);
});

it("an address lets whoever has it write the object, of the type that was signed", async () => {
  const command = new PutObjectCommand({ Bucket, Key: "up", ContentType: "text/x" });
  const url = await getSignedUrl(s3.client, command, { signableHeaders: new Set(["content-type"]) });
  const put = (type: string) => fetch(url, { method: "PUT", body: "sent", headers: { "content-type": type } });
  expect((await put("text/html")).status).toBe(403);
  expect((await put("text/x")).status).toBe(200);
  expect((await s3.call({ method: "GET", path: `/${Bucket}/up` })).body.toString()).toBe("sent");
});

it("what the signer put into the address counts as sent", async () => {
  const command = new PutObjectCommand({ Bucket, Key: "tagged", Metadata: { who: "ada" }, Tagging: "a=b" });
  expect((await fetch(await getSignedUrl(s3.client, command), { method: "PUT", body: "sent" })).status).toBe(200);
  const { headers } = await s3.call({ method: "HEAD", path: `/${Bucket}/tagged` });
  expect(headers).toMatchObject({ "x-amz-meta-who": "ada", "x-amz-tagging-count": "1" });
  const open = await getSignedUrl(s3.client, new PutObjectCommand({ Bucket, Key: "open", ACL: "public-read" }));
  const refused = await fetch(open, { method: "PUT", body: "sent" });
  expect(codeIn(await refused.text())).toBe("AccessControlListNotSupported");
  const copy = new CopyObjectCommand({ Bucket, Key: "copied", CopySource: `${Bucket}/tagged` });
  expect((await fetch(await getSignedUrl(s3.client, copy), { method: "PUT" })).status).toBe(200);
  expect((await s3.call({ method: "GET", path: `/${Bucket}/copied` })).body.toString()).toBe("sent");
  const summed = new PutObjectCommand({ Bucket, Key: "summed", ChecksumCRC32: "AAAAAQ==" });
  expect(
    codeIn(await (await fetch(await getSignedUrl(s3.client, summed), { method: "PUT", body: "sent" })).text()),
  ).toBe("BadDigest");
});

it("a page behind an address runs no scripts on the server's host", async () => {
  const address = { method: "GET", host: s3.host, path: `/${Bucket}/a b+ä` };
  const credentials = { accessKeyId: ACCESS_KEY, secretKey: SECRET_KEY };
  const answer = await fetch(`http://${s3.host}${presignedTarget(address, { credentials, at: Date.now() }, 60)}`);
  expect([answer.status, answer.headers.get("content-security-policy")]).toEqual([200, "sandbox"]);
  const signed = await s3.call({ method: "GET", path: `/${Bucket}/a b+ä` });
  expect(signed.headers["content-security-policy"]).toBeUndefined();
});

it("parts of an upload can be handed out", async () => {
  const begun = await s3.call({ method: "POST", path: `/${Bucket}/parts`, query: [["uploads", ""]] });
  const UploadId = /<UploadId>(\w+)</.exec(begun.body.toString())?.[1] ?? "";
  const url = await getSignedUrl(s3.client, new UploadPartCommand({ Bucket, Key: "parts", UploadId, PartNumber: 1 }));
  const answer = await fetch(url, { method: "PUT", body: "part" });
  expect([answer.status, answer.headers.get("etag")]).toEqual([200, expect.stringMatching(/^"[0-9a-f]{32}"$/)]);
});

it("an address ends when it says so", async () => {
  const command = new GetObjectCommand({ Bucket, Key: "a b+ä" });
  const past = new Date(Date.now() - 120_000);
  const old = await fetch(await getSignedUrl(s3.client, command, { expiresIn: 60, signingDate: past }));
  expect([old.status, codeIn(await old.text())]).toEqual([403, "AccessDenied"]);
  const long = await fetch(await getSignedUrl(s3.client, command, { expiresIn: 604_800, signingDate: past }));
  expect(long.status).toBe(200);
});
