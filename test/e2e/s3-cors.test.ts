import { GetBucketCorsCommand, PutBucketCorsCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Process, startS3 } from "../support/s3-process.ts";

const Bucket = "bucket";
const ORIGIN = "https://page.lab.example";
let s3: S3Process;

beforeAll(async () => {
  s3 = await startS3();
  await s3.call({ method: "PUT", path: `/${Bucket}` });
  await s3.call({ method: "PUT", path: "/other" });
  await s3.call({ method: "PUT", path: `/${Bucket}/k` }, { body: "text" });
  const rule = {
    AllowedOrigins: ["https://*.lab.example"],
    AllowedMethods: ["GET", "PUT"],
    AllowedHeaders: ["*"],
    ExposeHeaders: ["ETag"],
    MaxAgeSeconds: 30,
  };
  await s3.client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } }));
});
afterAll(() => s3.stop());

const preflight = (path: string, headers: Record<string, string>) =>
  fetch(`${s3.endpoint}${path}`, { method: "OPTIONS", headers });

describe("a preflight", () => {
  it("is answered without a signature, for what a rule allows", async () => {
    const answer = await preflight(`/${Bucket}/k`, {
      origin: ORIGIN,
      "access-control-request-method": "PUT",
      "access-control-request-headers": "authorization, x-amz-date",
    });
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "access-control-allow-origin": ORIGIN,
      "access-control-allow-methods": "GET, PUT",
      "access-control-allow-headers": "authorization, x-amz-date",
      "access-control-max-age": "30",
    });
  });

  it.each([
    ["another origin", `/${Bucket}/k`, { origin: "https://evil.example", "access-control-request-method": "PUT" }, 403],
    ["another method", `/${Bucket}/k`, { origin: ORIGIN, "access-control-request-method": "DELETE" }, 403],
    ["a bucket without rules", "/other/k", { origin: ORIGIN, "access-control-request-method": "GET" }, 403],
    ["a bucket that is not there", "/none/k", { origin: ORIGIN, "access-control-request-method": "GET" }, 403],
    ["no origin", `/${Bucket}/k`, { "access-control-request-method": "GET" }, 400],
  ])("for %s is refused", async (_what, path, headers, status) => {
    const answer = await preflight(path, headers as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("an answer", () => {
  const get = (origin: string) => s3.call({ method: "GET", path: `/${Bucket}/k` }, { extra: { origin } });

  it("may be seen by the pages of a rule, and by no others", async () => {
    const seen = await get(ORIGIN);
    expect(seen.headers).toMatchObject({
      "access-control-allow-origin": ORIGIN,
      "access-control-expose-headers": "ETag",
      vary: expect.stringContaining("Origin"),
    });
    expect((await get("https://evil.example")).headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("that no page asked for is not given to one by a cache", async () => {
    const vary = async (path: string) => (await s3.call({ method: "GET", path })).headers.vary;
    expect(await vary(`/${Bucket}/k`)).toContain("Origin");
    expect(await vary("/other")).toBeUndefined();
  });

  it("that refuses may be seen too, so that the page learns why", async () => {
    const missing = await s3.call({ method: "GET", path: `/${Bucket}/none` }, { extra: { origin: ORIGIN } });
    expect(missing).toMatchObject({ status: 404, headers: { "access-control-allow-origin": ORIGIN } });
    const unsigned = await fetch(`${s3.endpoint}/${Bucket}/k`, { headers: { origin: ORIGIN } });
    expect([unsigned.status, unsigned.headers.get("access-control-allow-origin")]).toEqual([403, ORIGIN]);
  });

  it("follows the rules as they are changed and removed", async () => {
    expect((await s3.client.send(new GetBucketCorsCommand({ Bucket }))).CORSRules).toHaveLength(1);
    await s3.call({ method: "DELETE", path: `/${Bucket}`, query: [["cors", ""]] });
    expect((await get(ORIGIN)).headers["access-control-allow-origin"]).toBeUndefined();
  });
});
