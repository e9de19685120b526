import { createPresignedPost, type PresignedPostOptions } from "@aws-sdk/s3-presigned-post";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exchange, type S3Process, startS3 } from "../support/s3-process.ts";

const Bucket = "bucket";
let s3: S3Process;
beforeAll(async () => {
  s3 = await startS3();
  await s3.call({ method: "PUT", path: `/${Bucket}` });
});
afterAll(() => s3.stop());

type Fields = Readonly<Record<string, string>>;

/** A form as a page would hold it. */
const formOf = (options: Omit<PresignedPostOptions, "Bucket">) =>
  createPresignedPost(s3.client, { Bucket, ...options });

/** Sends it as a browser does: fields in order, the file last. */
function send(url: string, fields: Fields, file: Blob | string = "text", name = "cat.jpg", init: RequestInit = {}) {
  const body = new FormData();
  for (const [field, value] of Object.entries(fields)) body.append(field, value);
  body.append("file", typeof file === "string" ? new Blob([file]) : file, name);
  return fetch(url, { method: "POST", body, redirect: "manual", ...init });
}

async function codeOf(answer: Response): Promise<string | undefined> {
  return /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1];
}

const read = (key: string) => s3.call({ method: "GET", path: `/${Bucket}/${key}` });

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how S3 writes it
const UNDER_ITS_NAME = "in/${filename}";

it("a form stores a file under its name, with what its fields say", async () => {
  const Fields = { acl: "private", "Content-Type": "text/x", "x-amz-meta-who": "ä", "Cache-Control": "no-cache" };
  const { url, fields } = await formOf({ Key: UNDER_ITS_NAME, Fields });
  const answer = await send(url, fields, "text", "a b.jpg");
  expect(answer.status).toBe(204);
  expect(answer.headers.get("location")).toBe(`${s3.endpoint}/bucket/in/a%20b.jpg`);
  const stored = await read("in/a b.jpg");
  expect(stored.body.toString()).toBe("text");
  expect(stored.headers).toMatchObject({
    "content-type": "text/x",
    "cache-control": "no-cache",
    etag: answer.headers.get("etag"),
  });
  expect(Buffer.from(String(stored.headers["x-amz-meta-who"]), "latin1").toString()).toBe("ä");
});

it("a form says what it wants to hear", async () => {
  const created = await formOf({ Key: "c&d", Fields: { success_action_status: "201" } });
  const answer = await send(created.url, created.fields);
  expect(answer.status).toBe(201);
  expect(await answer.text()).toContain(
    "<Bucket>bucket</Bucket><Key>c&amp;d</Key><ETag>&quot;1cb251ec0d568de6a929b520c4aed8d1&quot;</ETag>",
  );
  const moved = await formOf({ Key: "e f", Fields: { success_action_redirect: "https://example.org/done?x=1" } });
  const away = await send(moved.url, moved.fields);
  expect([away.status, away.headers.get("location")]).toEqual([
    303,
    "https://example.org/done?x=1&bucket=bucket&key=e+f&etag=%221cb251ec0d568de6a929b520c4aed8d1%22",
  ]);
  const script = await formOf({
    Key: "g",
    Fields: { success_action_redirect: "javascript:alert(1)", success_action_status: "200" },
  });
  const stays = await send(script.url, script.fields);
  expect([stays.status, stays.headers.get("location")]).toEqual([200, `${s3.endpoint}/bucket/g`]);
});

it("a form can set tags and bring a checksum", async () => {
  const tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
  const { url, fields } = await formOf({ Key: "tagged", Fields: { tagging, "x-amz-checksum-crc32": "O4vk1Q==" } });
  const answer = await send(url, fields);
  expect(await codeOf(answer)).toBe("BadDigest");
  const good = await formOf({ Key: "tagged", Fields: { tagging, "x-amz-checksum-crc32": "O4unxw==" } });
  expect((await send(good.url, good.fields, "text")).headers.get("x-amz-checksum-crc32")).toBe("O4unxw==");
  expect((await read("tagged")).headers["x-amz-tagging-count"]).toBe("1");
});

it("a file of the wrong size is refused while it comes, and leaves nothing", async () => {
  const { url, fields } = await formOf({ Key: "big", Conditions: [["content-length-range", 10, 1000]] });
  const large = await send(url, fields, new Blob([Buffer.alloc(32 * 1024 * 1024)]));
  expect([large.status, await codeOf(large)]).toEqual([400, "EntityTooLarge"]);
  expect(await codeOf(await send(url, fields, "123456789"))).toBe("EntityTooSmall");
  expect((await read("big")).code).toBe("NoSuchKey");
  expect((await send(url, fields, "1234567890")).status).toBe(204);
});

it("a form lets in nothing but what its policy says", async () => {
  const { url, fields } = await formOf({ Key: UNDER_ITS_NAME });
  const refused = async (changed: Fields, name?: string) =>
    codeOf(await send(url, { ...fields, ...changed }, "text", name));
  expect(await refused({ key: "other" })).toBe("AccessDenied");
  expect(await refused({ "x-amz-meta-a": "1" })).toBe("AccessDenied");
  expect(await refused({ acl: "public-read" })).toBe("AccessDenied");
  expect(await refused({ Policy: Buffer.from("{}").toString("base64") })).toBe("SignatureDoesNotMatch");
  expect(await refused({ "X-Amz-Credential": fields["X-Amz-Credential"]?.replace(/^\w+/, "AKIDOTHER") ?? "" })).toBe(
    "InvalidAccessKeyId",
  );
  expect(await refused({ "x-ignore-a": "1" }, "../../up")).toBeUndefined();
  expect((await read("in/up")).status).toBe(200);
  const other = await createPresignedPost(s3.client, { Bucket: "elsewhere", Key: "k" });
  expect(await codeOf(await send(url, other.fields))).toBe("AccessDenied");
});

it("a form ends when it says so, and is nothing without a signature", async () => {
  const { url, fields } = await formOf({ Key: "late", Expires: -1 });
  expect(await codeOf(await send(url, fields))).toBe("AccessDenied");
  expect(await codeOf(await send(url, { key: "k" }))).toBe("AccessDenied");
  expect(await codeOf(await fetch(url, { method: "POST", body: "x", headers: { "content-type": "text/plain" } }))).toBe(
    "AccessDenied",
  );
  const bare = await s3.call(
    { method: "POST", path: `/${Bucket}`, headers: { "content-type": "text/plain" } },
    { body: "x" },
  );
  expect(bare.code).toBe("PreconditionFailed");
});

it("a form that is cut short stores nothing", async () => {
  const { fields } = await formOf({ Key: "cut" });
  const head = Object.entries(fields).map(
    ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const body = `${head.join("")}--b\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext`;
  const request = (length: number) =>
    `POST /${Bucket} HTTP/1.1\r\nHost: ${s3.host}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;
  expect(await exchange(await s3.connect(), [request(body.length), body], false)).toContain(
    "<Code>MalformedPOSTRequest</Code>",
  );
  expect(await exchange(await s3.connect(), [request(body.length + 100), body])).toContain(
    "<Code>IncompleteBody</Code>",
  );
  expect((await read("cut")).code).toBe("NoSuchKey");
});

it("a large file streams through little memory", async () => {
  const { url, fields } = await formOf({ Key: "large" });
  const before = s3.peakMemory();
  const answer = await send(url, fields, new Blob(Array.from({ length: 20 }, () => Buffer.alloc(8 * 1024 * 1024, 7))));
  expect(answer.status).toBe(204);
  expect(Number((await s3.call({ method: "HEAD", path: `/${Bucket}/large` })).headers["content-length"])).toBe(
    20 * 8 * 1024 * 1024,
  );
  expect(s3.peakMemory() - before).toBeLessThan(150 * 1024 * 1024);
});
